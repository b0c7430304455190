-- Adds a key.
INSERT INTO api_keys (id, name, client_id, scopes, hash, expires_at, roles, networks)
VALUES (%(id)s, %(name)s, %(client_id)s, %(scopes)s, %(hash)b, %(expires_at)s, %(roles)s, %(networks)s::cidr[])
RETURNING id, name, client_id, scopes, roles, networks, created_at, expires_at, revoked_at
