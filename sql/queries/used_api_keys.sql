-- Stores when keys were last used. Several processes may do so for the same keys: the latest time is kept, and the keys are locked
-- in one order, so that two processes cannot deadlock.
UPDATE api_keys AS k
SET last_used_at = greatest(k.last_used_at, u.at)
FROM unnest(%(ids)s::uuid[], %(times)s::timestamptz[]) AS u (id, at)
JOIN (SELECT id FROM api_keys WHERE id = ANY (%(ids)s::uuid[]) ORDER BY id FOR NO KEY UPDATE) AS locked ON locked.id = u.id
WHERE k.id = u.id
