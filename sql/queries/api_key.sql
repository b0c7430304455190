-- One key, with its hash.
SELECT id, name, client_id, scopes, roles, networks, makers, hash, created_at, revoked_at, expires_at FROM api_keys WHERE id = %(id)s
