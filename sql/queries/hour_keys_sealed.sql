-- The keys of raw records after one, as they are encrypted.
SELECT id, purpose, hour, sealed FROM hour_keys
WHERE sealed IS NOT NULL AND id > %(after)s::uuid
ORDER BY id
LIMIT %(limit)s
