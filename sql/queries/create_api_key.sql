-- Adds a key, and notes in the audit who made it.
WITH added AS (
    INSERT INTO api_keys (id, name, client_id, scopes, hash, expires_at, roles, networks, makers)
    VALUES (%(id)s, %(name)s, %(client_id)s, %(scopes)s, %(hash)b, %(expires_at)s, %(roles)s, %(networks)s::cidr[], %(makers)s::text[])
    RETURNING id, name, client_id, scopes, roles, networks, created_at, expires_at, revoked_at
),
noted AS (
    INSERT INTO audit (actor, client_id, action, subject, detail, key_id, address, request_id)
    SELECT
        %(by_actor)s, client_id, 'key.create', id::text,
        jsonb_build_object('scopes', scopes, 'roles', roles, 'networks', networks, 'expiresAt', expires_at),
        %(by_key)s::uuid, %(address)s::text, %(request_id)s::text
    FROM added
)
SELECT id, name, client_id, scopes, roles, networks, created_at, expires_at, revoked_at FROM added
