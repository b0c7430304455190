-- Creates empty tables in `threadline_rebuild` like the live ones: columns, indexes by name, storage, privileges,
-- policies. Tables that a rebuild of another version left are dropped.
DO $$
DECLARE
    live record;
    part record;
BEGIN
    DELETE FROM threadline_rebuild.progress;
    DELETE FROM threadline_rebuild.left_to_link;
    FOR live IN
        SELECT c.oid, c.relname, c.relacl, array_to_string(c.reloptions, ', ') AS options
        FROM pg_class AS c
        WHERE c.relnamespace = 'threadline'::regnamespace
            AND c.relname IN ('interactions', 'interaction_links', 'assignments', 'handle_links', 'customer_changes', 'consents', 'consent_times')
    LOOP
        EXECUTE format('DROP TABLE IF EXISTS threadline_rebuild.%I', live.relname);
        EXECUTE format(
            'CREATE TABLE threadline_rebuild.%I (LIKE threadline.%I INCLUDING ALL EXCLUDING INDEXES)',
            live.relname, live.relname
        );
        IF live.options IS NOT NULL THEN
            EXECUTE format('ALTER TABLE threadline_rebuild.%I SET (%s)', live.relname, live.options);
        END IF;
        FOR part IN
            SELECT x.relname, i.indisprimary, pg_get_indexdef(i.indexrelid) AS definition
            FROM pg_index AS i JOIN pg_class AS x ON x.oid = i.indexrelid
            WHERE i.indrelid = live.oid
        LOOP
            EXECUTE replace(part.definition, ' ON threadline.', ' ON threadline_rebuild.');
            IF part.indisprimary THEN
                EXECUTE format(
                    'ALTER TABLE threadline_rebuild.%I ADD CONSTRAINT %I PRIMARY KEY USING INDEX %I',
                    live.relname, part.relname, part.relname
                );
            END IF;
        END LOOP;
        FOR part IN
            SELECT a.grantee::regrole AS grantee, a.privilege_type
            FROM aclexplode(live.relacl) AS a
            WHERE a.grantee <> a.grantor
        LOOP
            EXECUTE format(
                'GRANT %s ON threadline_rebuild.%I TO %s', part.privilege_type, live.relname, part.grantee
            );
        END LOOP;
        EXECUTE format('ALTER TABLE threadline_rebuild.%I ENABLE ROW LEVEL SECURITY', live.relname);
        FOR part IN
            SELECT
                p.polname, pg_get_expr(p.polqual, p.polrelid) AS wanted,
                (SELECT string_agg(r.role::regrole::text, ', ') FROM unnest(p.polroles) AS r (role)) AS roles
            FROM pg_policy AS p
            WHERE p.polrelid = live.oid
        LOOP
            EXECUTE format(
                'CREATE POLICY %I ON threadline_rebuild.%I TO %s USING (%s)',
                part.polname, live.relname, part.roles, part.wanted
            );
        END LOOP;
    END LOOP;
END
$$
