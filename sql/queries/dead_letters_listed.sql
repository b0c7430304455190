-- The latest dead letters without their records, newest first; a parameter that is NULL matches all.
SELECT id, topic, partition, "offset", webhook_id, source, reason, bad, size, value IS NOT NULL AS whole, recorded_at, replayed_at
FROM dead_letters
WHERE recorded_at >= coalesce(%(since)s::timestamptz, '-infinity')
    AND (%(topic)s::text IS NULL OR topic = %(topic)s)
    AND (%(source)s::text IS NULL OR source = %(source)s)
    AND (NOT %(open)s OR replayed_at IS NULL)
ORDER BY recorded_at DESC, id
LIMIT %(limit)s
