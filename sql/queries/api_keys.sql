-- All keys, oldest first, without their hashes.
SELECT id, name, client_id, scopes, roles, networks, makers, created_at, last_used_at, expires_at, revoked_at, replaced_by
FROM api_keys
ORDER BY created_at, id
