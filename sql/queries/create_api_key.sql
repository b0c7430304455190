-- Adds a key.
INSERT INTO api_keys (id, name, client_id, scopes, hash)
VALUES (%(id)s, %(name)s, %(client_id)s, %(scopes)s, %(hash)b)
RETURNING id, name, client_id, scopes, created_at, revoked_at
