-- All keys, oldest first, without their hashes.
SELECT id, name, client_id, scopes, created_at, last_used_at, expires_at, revoked_at
FROM api_keys
ORDER BY created_at, id
