-- Revokes a key. Revoking again does not change the time.
UPDATE api_keys SET revoked_at = coalesce(revoked_at, now()) WHERE id = %(id)s RETURNING id, revoked_at
