-- Ends a session of somebody who may act for a client, as another asks, and notes in the audit of that client who did.
WITH ended AS (
    DELETE FROM sessions WHERE id = %(id)s AND clients @> ARRAY[%(client_id)s::text] RETURNING id, holder
),
noted AS (
    INSERT INTO audit (actor, client_id, action, subject, detail, key_id, address, request_id)
    SELECT
        %(by_actor)s, %(client_id)s, 'session.end', id::text, jsonb_build_object('why', 'ended', 'person', holder),
        %(by_key)s::uuid, %(address)s::text, %(request_id)s::text
    FROM ended
)
SELECT id FROM ended
