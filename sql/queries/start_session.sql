-- Adds a session, in place of the one that the same browser had (`before`), and notes it in the audit. Removes some that ended by
-- themselves.
WITH ended AS (
    DELETE FROM sessions WHERE id = ANY (ARRAY(
        SELECT id FROM sessions
        WHERE used_at < now() - %(idle)s OR created_at < now() - %(absolute)s
        LIMIT 100
        FOR UPDATE SKIP LOCKED
    ))
),
replaced AS (
    DELETE FROM sessions WHERE hash = %(before)b OR former_hash = %(before)b RETURNING id, clients
),
added AS (
    INSERT INTO sessions (id, hash, issuer, subject, sid, holder, clients, scopes)
    VALUES (%(id)s, %(hash)b, %(issuer)s, %(subject)s, %(sid)s::text, %(holder)s, %(clients)s::text[], %(scopes)s::text[])
    RETURNING id, clients, scopes
),
changes AS (
    SELECT 1 AS turn, id, clients, 'session.end' AS action, '{"why": "replaced"}'::jsonb AS detail FROM replaced
    UNION ALL
    SELECT 2, id, clients, 'session.start', jsonb_build_object('clients', clients, 'scopes', scopes) FROM added
)
INSERT INTO audit (actor, client_id, action, subject, detail, key_id, address, request_id)
SELECT
    %(by_actor)s, CASE cardinality(clients) WHEN 1 THEN clients[1] ELSE '' END, action, id::text, detail,
    %(by_key)s::uuid, %(address)s::text, %(request_id)s::text
FROM changes
ORDER BY turn
