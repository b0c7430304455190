-- The months from a time on that are only in the archive, as YYYY-MM.
SELECT to_char(f.month, 'YYYY-MM') AS month
FROM (SELECT DISTINCT month FROM archive_files) AS f
WHERE f.month >= date_trunc('month', %(since)s::timestamptz AT TIME ZONE 'UTC')
    AND NOT EXISTS (SELECT FROM event_partitions AS p WHERE p.month = f.month)
ORDER BY f.month
