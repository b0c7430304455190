-- Ends a step of an erasure.
UPDATE erasures SET
    state = %(state)s, changed_at = now(), waits = NULL,
    fenced_at = CASE WHEN %(state)s = 'fenced' THEN now() ELSE fenced_at END,
    destroyed_at = CASE WHEN %(state)s = 'destroyed' THEN now() ELSE destroyed_at END,
    before = coalesce(before, %(before)s), providers = coalesce(%(providers)s::text[], providers)
WHERE id = %(id)s
