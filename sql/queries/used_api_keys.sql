-- Stores when keys were last used. Several processes may do so for one key: the latest time is kept.
UPDATE api_keys AS k
SET last_used_at = greatest(k.last_used_at, u.at)
FROM unnest(%(ids)s::uuid[], %(times)s::timestamptz[]) AS u (id, at)
WHERE k.id = u.id
