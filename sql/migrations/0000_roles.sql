-- The roles, the schemas that they own, and the list of migrations. Runs as whoever connects; all others as
-- threadline_owner. Logins of your own become members of threadline_service (and threadline_reader).

DO $$
DECLARE
    wanted text;
BEGIN
    FOREACH wanted IN ARRAY ARRAY['threadline_owner', 'threadline_service', 'threadline_reader'] LOOP
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = wanted) THEN
            BEGIN
                EXECUTE format('CREATE ROLE %I NOLOGIN', wanted);
            EXCEPTION
                WHEN duplicate_object OR unique_violation THEN
                    NULL;  -- another database of this server is being migrated too
                WHEN insufficient_privilege THEN
                    RAISE EXCEPTION 'the role % is missing, and % may not create it', wanted, current_user
                        USING ERRCODE = 'insufficient_privilege',
                        HINT = format('As an administrator: CREATE ROLE %I NOLOGIN', wanted);
            END;
        END IF;
    END LOOP;

    IF NOT pg_has_role(current_user, 'threadline_owner', 'SET') THEN
        BEGIN
            EXECUTE format('GRANT threadline_owner TO %I WITH INHERIT TRUE, SET TRUE', current_user);
        EXCEPTION WHEN insufficient_privilege THEN
            RAISE EXCEPTION '% may not act as threadline_owner', current_user
                USING ERRCODE = 'insufficient_privilege',
                HINT = format('As an administrator: GRANT threadline_owner TO %I', current_user);
        END;
    END IF;

    BEGIN
        CREATE SCHEMA threadline AUTHORIZATION threadline_owner;
        CREATE SCHEMA threadline_rebuild AUTHORIZATION threadline_owner;
    EXCEPTION WHEN insufficient_privilege THEN
        RAISE EXCEPTION '% may not create schemas in the database %', current_user, current_database()
            USING ERRCODE = 'insufficient_privilege',
            HINT = format('As its owner: GRANT CREATE ON DATABASE %I TO %I', current_database(), current_user);
    END;
END
$$;

SET LOCAL ROLE threadline_owner;

CREATE TABLE threadline.migrations (
    name text NOT NULL,
    checksum text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT migrations_pkey PRIMARY KEY (name)
);
