-- Tenants in the database: whoever acts for a client sees and changes that client's rows only, whatever a statement says. The API
-- names its caller's client for each transaction (`queries/tenant.sql`), and becomes the role threadline_tenant for it; with no
-- client named that role sees nothing. Who works for all clients has a policy that says so, table by table.

-- As whoever connects, as in 0000.
SET LOCAL ROLE NONE;

DO $$
DECLARE
    wanted text;
BEGIN
    FOREACH wanted IN ARRAY ARRAY['threadline_tenant', 'threadline_http'] LOOP
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
    FOREACH wanted IN ARRAY ARRAY['threadline_service', 'threadline_http'] LOOP
        IF NOT EXISTS (
            SELECT FROM pg_auth_members AS m
            WHERE m.roleid = 'threadline_tenant'::regrole AND m.member = wanted::regrole AND m.set_option
        ) THEN
            BEGIN
                -- Without INHERIT: else the policies of both roles would count together.
                EXECUTE format('GRANT threadline_tenant TO %I WITH INHERIT FALSE, SET TRUE', wanted);
            EXCEPTION WHEN insufficient_privilege THEN
                RAISE EXCEPTION '% may not let % act as threadline_tenant', current_user, wanted
                    USING ERRCODE = 'insufficient_privilege',
                    HINT = format('As an administrator: GRANT threadline_tenant TO %I WITH INHERIT FALSE, SET TRUE', wanted);
            END;
        END IF;
    END LOOP;
END
$$;

SET LOCAL ROLE threadline_owner;

-- The clients for which this transaction acts; NULL where none is named.
CREATE FUNCTION acting_clients() RETURNS text[]
LANGUAGE sql STABLE PARALLEL SAFE
RETURN nullif(current_setting('threadline.clients', true), '')::text[];

-- Separates the rows of a table by their client. `whole`: the roles that see all rows (what they may do with them, their grants
-- say). For migrations; each table with a column client_id needs it.
CREATE FUNCTION separate_clients(separated regclass, whole text) RETURNS void
LANGUAGE plpgsql SET search_path = threadline, pg_temp
AS $$
BEGIN
    EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', separated);
    -- The clients are read once for a statement, not for each row.
    EXECUTE format(
        'CREATE POLICY own_clients ON %s TO threadline_tenant USING (client_id = ANY ((SELECT acting_clients())::text[]))',
        separated
    );
    EXECUTE format('CREATE POLICY every_client ON %s TO %s USING (true)', separated, whole);
END
$$;

REVOKE ALL ON FUNCTION acting_clients(), separate_clients(regclass, text) FROM public;

-- Workers and the command line (threadline_service) write for all clients; the reader reads all. The HTTP process has, beside
-- its callers' clients: the keys by which it knows them, the accounts with which webhooks are verified, the log's end for all
-- streams in one statement, dead letters of no client, and the audit's entries of all callers.
SELECT separate_clients(given.separated::regclass, given.whole)
FROM (
    VALUES
        ('events', 'threadline_service, threadline_reader, threadline_http'),
        ('interactions', 'threadline_service, threadline_reader, threadline_http'),
        ('interaction_links', 'threadline_service, threadline_reader, threadline_http'),
        ('handles', 'threadline_service, threadline_reader, threadline_http'),
        ('assignments', 'threadline_service, threadline_reader, threadline_http'),
        ('handle_links', 'threadline_service, threadline_reader, threadline_http'),
        ('customer_changes', 'threadline_service, threadline_reader, threadline_http'),
        ('customer_holds', 'threadline_service, threadline_reader'),
        ('erasures', 'threadline_service, threadline_reader'),
        ('erased_references', 'threadline_service, threadline_reader'),
        ('suppressions', 'threadline_service'),
        ('peppers', 'threadline_service'),
        ('consents', 'threadline_service, threadline_reader'),
        ('profiles', 'threadline_service, threadline_reader'),
        ('lanes', 'threadline_service, threadline_reader'),
        ('messages', 'threadline_service, threadline_reader'),
        ('message_keys', 'threadline_service, threadline_reader'),
        ('idempotency_keys', 'threadline_service'),
        ('clients', 'threadline_service, threadline_reader'),
        ('accounts', 'threadline_service, threadline_reader, threadline_http'),
        ('account_changes', 'threadline_service, threadline_reader, threadline_http'),
        ('callbacks', 'threadline_service, threadline_reader'),
        ('callback_secrets', 'threadline_service'),
        ('deliveries', 'threadline_service, threadline_reader'),
        ('clients_due', 'threadline_service, threadline_reader'),
        ('dead_letters', 'threadline_service, threadline_http'),
        ('audit', 'threadline_service, threadline_reader, threadline_http'),
        ('api_keys', 'threadline_service, threadline_http')
) AS given (separated, whole);

-- An attempt has no client of its own: it is whose its message is. (Not EXISTS, which may read all messages to answer.)
ALTER TABLE attempts ENABLE ROW LEVEL SECURITY;
CREATE POLICY own_messages ON attempts FOR SELECT TO threadline_tenant
USING ((SELECT m.id FROM messages AS m WHERE m.id = attempts.id) IS NOT NULL);
CREATE POLICY every_client ON attempts TO threadline_service, threadline_reader USING (true);

-- A view reads its tables as whoever reads it, not as its owner, for whom no policy counts.
ALTER VIEW customers SET (security_invoker = true);

GRANT USAGE ON SCHEMA threadline TO threadline_tenant, threadline_http;

-- What a client's caller may do, to its own rows.
GRANT SELECT, INSERT ON events, peppers, clients, message_keys, idempotency_keys TO threadline_tenant;
-- Ids, places and hashes of events, without a client: what makes twice once is looked up by the key.
GRANT SELECT, INSERT ON event_ids TO threadline_tenant;
GRANT SELECT, INSERT, UPDATE ON handle_links, customer_changes, interaction_links, assignments, consents, profiles, lanes, messages, callbacks, account_changes
TO threadline_tenant;
GRANT SELECT, INSERT, UPDATE, DELETE ON interactions TO threadline_tenant;
GRANT DELETE ON assignments TO threadline_tenant;
GRANT SELECT ON erased_references, suppressions TO threadline_tenant;
GRANT SELECT, INSERT ON erasures TO threadline_tenant;
GRANT SELECT, INSERT, UPDATE, DELETE ON customer_holds TO threadline_tenant;
GRANT SELECT, INSERT, UPDATE (kind) ON handles TO threadline_tenant;
GRANT SELECT, INSERT, DELETE ON accounts TO threadline_tenant;
GRANT UPDATE (version, adapter, source, url, trusted, sealed, key_id, changed_at) ON accounts TO threadline_tenant;
GRANT SELECT, INSERT, UPDATE (expires_at), DELETE ON callback_secrets TO threadline_tenant;
GRANT SELECT, UPDATE ON deliveries TO threadline_tenant;
GRANT SELECT ON customers, attempts TO threadline_tenant;
-- Hints for workers; a caller never reads them.
GRANT INSERT ON lanes_due, clients_due TO threadline_tenant;
GRANT SELECT, INSERT (actor, client_id, action, subject, detail, key_id, address, request_id, why) ON audit TO threadline_tenant;
GRANT USAGE ON SEQUENCE events_position_seq, account_changes_number TO threadline_tenant;

-- What the HTTP process may do for no client in particular.
GRANT SELECT ON api_keys, accounts, account_changes, events, interactions, interaction_links, handles, assignments, raw_webhooks,
raw_webhooks_default, dead_letters, migrations TO threadline_http;
GRANT UPDATE (last_used_at) ON api_keys TO threadline_http;
-- Ids that the log names customers by, keys of raw records, the archive's months, and people's sessions.
GRANT SELECT ON customer_changes, archive_files, event_partitions TO threadline_http;
GRANT SELECT, INSERT (id, purpose, hour, sealed), UPDATE (sealed, needed_at) ON hour_keys TO threadline_http;
GRANT SELECT, INSERT, DELETE, UPDATE (hash, former_hash, rotated_at, used_at) ON sessions TO threadline_http;
GRANT SELECT, INSERT, UPDATE ON used_tokens TO threadline_http;
GRANT INSERT (actor, client_id, action, subject, detail, key_id, address, request_id, why) ON audit TO threadline_http;

-- A dead letter is changed by replaying or discarding it, as the service's rights say.
DO $$
DECLARE
    part record;
BEGIN
    EXECUTE 'GRANT SELECT ON dead_letters TO threadline_tenant';
    FOR part IN
        SELECT column_name FROM information_schema.column_privileges
        WHERE table_schema = 'threadline' AND table_name = 'dead_letters' AND privilege_type = 'UPDATE'
            AND grantee = 'threadline_service'
    LOOP
        EXECUTE format('GRANT UPDATE (%I) ON dead_letters TO threadline_tenant, threadline_http', part.column_name);
    END LOOP;
    -- All functions but those that act as the owner: removals and partitions are the workers'.
    FOR part IN
        SELECT p.oid::regprocedure::text AS signature FROM pg_proc AS p
        WHERE p.pronamespace = 'threadline'::regnamespace AND NOT p.prosecdef
            AND has_function_privilege('threadline_service', p.oid, 'EXECUTE')
    LOOP
        EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO threadline_tenant, threadline_http', part.signature);
    END LOOP;
END
$$;

-- The roles of workers evaluate no policy that reads it; whoever acts for a client does.
GRANT EXECUTE ON FUNCTION acting_clients() TO threadline_tenant;

-- A batch of the audit follows the one before it and ends at an entry that exists. Else whoever may add one (the worker) could add one
-- that ends far ahead: no entry below it would be sealed any more.
CREATE FUNCTION check_audit_head() RETURNS trigger
LANGUAGE plpgsql SET search_path = threadline, pg_temp
AS $$
DECLARE
    last record;
BEGIN
    SELECT h.batch, h.head, h.upto, h.total INTO last FROM audit_heads AS h ORDER BY h.batch DESC LIMIT 1;
    IF (new.batch, new.previous, new.after, new.total) IS DISTINCT FROM (
            coalesce(last.batch, 0) + 1, coalesce(last.head, new.previous), coalesce(last.upto, 0),
            coalesce(last.total, 0) + new.entries
        )
        OR (new.upto > new.after AND NOT EXISTS (SELECT FROM audit AS a WHERE a.position = new.upto))
        OR NOT new.holes <@ int8multirange(int8range(new.after, new.upto, '(]'))
        OR NOT new.late <@ int8multirange(int8range(NULL, new.after, '[]'))
    THEN
        RAISE EXCEPTION 'this batch of the audit does not follow the last one, or ends where there is no entry'
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN new;
END
$$;

CREATE TRIGGER audit_heads_follow BEFORE INSERT ON audit_heads FOR EACH ROW EXECUTE FUNCTION check_audit_head();

REVOKE ALL ON FUNCTION check_audit_head() FROM public;
