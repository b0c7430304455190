-- One dead letter with its record.
SELECT
    id, topic, partition, "offset", webhook_id, source, reason, detail, bad, items, size, digest, value, recorded_at,
    replayed_at
FROM dead_letters
WHERE id = %(id)s
