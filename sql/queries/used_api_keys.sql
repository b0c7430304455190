-- Notes when keys were used. Several processes may note the same key: the latest time stands.
UPDATE api_keys AS k
SET last_used_at = greatest(k.last_used_at, u.at)
FROM unnest(%(ids)s::uuid[], %(times)s::timestamptz[]) AS u (id, at)
WHERE k.id = u.id
