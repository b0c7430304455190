-- The files of months from a time on that are only in the archive, in order.
SELECT f.month, f.part, f.file, f.checksum
FROM archive_files AS f
WHERE f.month >= date_trunc('month', %(since)s::timestamptz AT TIME ZONE 'UTC')
    AND NOT EXISTS (SELECT FROM event_partitions AS p WHERE p.month = f.month)
ORDER BY f.month, f.part
