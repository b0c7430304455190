-- Revokes a key, and notes in the audit who did. Revoking again changes nothing.
WITH revoked AS (
    UPDATE api_keys SET revoked_at = now() WHERE id = %(id)s AND revoked_at IS NULL RETURNING id, client_id, revoked_at
),
noted AS (
    INSERT INTO audit (actor, client_id, action, subject, detail, key_id, address, request_id)
    SELECT %(by_actor)s, client_id, 'key.revoke', id::text, '{}', %(by_key)s::uuid, %(address)s::text, %(request_id)s::text
    FROM revoked
)
SELECT id, revoked_at FROM revoked
UNION ALL
SELECT id, revoked_at FROM api_keys WHERE id = %(id)s AND revoked_at IS NOT NULL
