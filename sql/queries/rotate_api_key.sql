-- Adds a key with what a valid key may do and the lifetime that it was made with, and ends the valid one after a grace. A key that was
-- replaced is not replaced again: its end would no longer say how long it was made to live.
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
)
INSERT INTO api_keys (id, name, client_id, scopes, roles, networks, hash, expires_at)
SELECT %(id)s, name, client_id, scopes, roles, networks, %(hash)b, now() + (old.expires_at - created_at)
FROM old
RETURNING name, client_id, expires_at, (SELECT expires_at FROM ended) AS old_expires_at
