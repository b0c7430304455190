-- Gives a session another secret, if it still has this one and no other request did so meanwhile. The one before is good for a moment.
UPDATE sessions SET hash = %(new)b, former_hash = hash, rotated_at = now()
WHERE id = %(id)s AND hash = %(hash)b AND rotated_at <= now() - %(rotate)s
RETURNING id
