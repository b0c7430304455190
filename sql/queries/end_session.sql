-- Ends a session, by its id or by the hash of its secret, and notes in the audit who did, and why.
WITH ended AS (
    DELETE FROM sessions
    WHERE id = %(id)s::uuid OR hash = %(hash)b OR former_hash = %(hash)b
    RETURNING id, issuer, clients, holder
),
noted AS (
    INSERT INTO audit (actor, client_id, action, subject, detail, key_id, address, request_id)
    SELECT
        coalesce(%(actor)s::text, 'person:' || holder), CASE cardinality(clients) WHEN 1 THEN clients[1] ELSE '' END, 'session.end',
        id::text, jsonb_build_object('why', %(why)s::text), NULL::uuid, %(address)s::text, %(request_id)s::text
    FROM ended
)
SELECT id, issuer FROM ended
