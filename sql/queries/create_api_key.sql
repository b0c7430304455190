-- Adds a key.
INSERT INTO api_keys (id, name, client_id, scopes, hash, expires_at)
VALUES (%(id)s, %(name)s, %(client_id)s, %(scopes)s, %(hash)b, %(expires_at)s)
RETURNING id, name, client_id, scopes, created_at, expires_at, revoked_at
