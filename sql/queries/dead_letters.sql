-- The latest dead letters.
SELECT
    id, topic, partition, "offset", webhook_id, source, reason, detail, bad, items, size, digest, value, recorded_at
FROM dead_letters
ORDER BY recorded_at DESC, id
LIMIT %(limit)s
