-- The latest first; of all, or of those that nobody has acknowledged.
SELECT topic, partition, from_offset, to_offset, found_at, acknowledged_at, acknowledged_by
FROM threadline.gaps
WHERE %(all)s OR acknowledged_at IS NULL
ORDER BY found_at DESC, topic, partition, from_offset
LIMIT 1000
