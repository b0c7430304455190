-- The latest gaps, newest first: all, or those that are not acknowledged.
SELECT topic, partition, from_offset, to_offset, found_at, acknowledged_at, acknowledged_by
FROM threadline.gaps
WHERE %(all)s OR acknowledged_at IS NULL
ORDER BY found_at DESC, topic, partition, from_offset
LIMIT 1000
