-- The months of the log that have a partition, or files: the partition (NULL once it is dropped), whether it is attached, how
-- many files there are, with how many events, and how many of them were read back.
WITH tables AS (
    SELECT c.oid, c.relname::text AS name, to_date(substr(c.relname, 8), 'YYYYMM') AS month, c.relispartition AS attached
    FROM pg_class AS c
    WHERE c.relnamespace = 'threadline'::regnamespace AND c.relkind = 'r' AND c.relname ~ '^events_[0-9]{6}$'
),
files AS (
    SELECT month, count(*) AS files, sum(events)::bigint AS events, count(verified_at) AS verified FROM archive_files GROUP BY month
)
SELECT
    month, t.name, coalesce(t.attached, false) AS attached, coalesce(f.files, 0) AS files, coalesce(f.events, 0) AS events,
    coalesce(f.verified, 0) AS verified, pg_total_relation_size(t.oid) AS bytes,
    month + interval '1 month' + make_interval(months => %(after_months)s) <= now() AT TIME ZONE 'UTC' - interval '1 day' AS due
FROM tables AS t
FULL JOIN files AS f USING (month)
ORDER BY month
