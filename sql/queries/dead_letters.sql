-- The latest dead letters.
SELECT id, topic, partition, "offset", ordinal, webhook_id, source, reason, detail, value, recorded_at
FROM dead_letters
ORDER BY recorded_at DESC, id
LIMIT %(limit)s
