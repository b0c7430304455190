-- Ends the sessions that an issuer says are over: of its own session (`sid`), of a subject, or of both, that began before it said so.
-- Notes it in the audit.
WITH ended AS (
    DELETE FROM sessions
    WHERE issuer = %(issuer)s
        AND (%(sid)s::text IS NULL OR sid = %(sid)s)
        AND (%(subject)s::text IS NULL OR subject = %(subject)s)
        AND created_at <= %(said)s
    RETURNING id, clients
),
noted AS (
    INSERT INTO audit (actor, client_id, action, subject, detail, key_id, address, request_id)
    SELECT
        %(actor)s, CASE cardinality(clients) WHEN 1 THEN clients[1] ELSE '' END, 'session.end',
        id::text, '{"why": "back-channel"}'::jsonb, NULL::uuid, %(address)s::text, %(request_id)s::text
    FROM ended
)
SELECT id FROM ended
