-- Revokes a key, once: the first time stands.
UPDATE api_keys SET revoked_at = coalesce(revoked_at, now()) WHERE id = %(id)s RETURNING id, revoked_at
