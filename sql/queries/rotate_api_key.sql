-- Adds a key with what a valid key may do and the lifetime that it was made with, and ends the valid one after a grace. A key that was
-- replaced is not replaced again: its end would no longer say how long it was made to live. Who made the one before, and who rotates it,
-- count as the makers of the new one.
WITH old AS (
    SELECT * FROM api_keys
    WHERE id = %(old)s AND revoked_at IS NULL AND replaced_by IS NULL AND (expires_at IS NULL OR expires_at > now())
    FOR UPDATE
), ended AS (
    UPDATE api_keys AS k
    SET expires_at = least(old.expires_at, now() + %(grace)s), replaced_by = %(id)s
    FROM old
    WHERE k.id = old.id
    RETURNING k.expires_at
), added AS (
    INSERT INTO api_keys (id, name, client_id, scopes, roles, networks, hash, expires_at, makers)
    SELECT
        %(id)s, name, client_id, scopes, roles, networks, %(hash)b, now() + (old.expires_at - created_at),
        ARRAY(SELECT DISTINCT m FROM unnest(coalesce(nullif(makers, '{}'), '{unknown}') || %(makers)s::text[]) AS m ORDER BY m)
    FROM old
    RETURNING id, name, client_id, scopes, roles, networks, expires_at
), noted AS (
    INSERT INTO audit (actor, client_id, action, subject, detail, key_id, address, request_id)
    SELECT
        %(by_actor)s, client_id, 'key.create', id::text,
        jsonb_build_object(
            'scopes', scopes, 'roles', roles, 'networks', networks, 'expiresAt', expires_at, 'replaces', %(old)s::uuid
        ),
        %(by_key)s::uuid, %(address)s::text, %(request_id)s::text
    FROM added
)
SELECT name, client_id, expires_at, (SELECT expires_at FROM ended) AS old_expires_at FROM added
