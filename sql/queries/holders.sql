-- The sessions that are appending and that readers of the log wait for (see `writing`), the oldest first. A session's activity and
-- its age in seconds are visible to members of its own role and of pg_read_all_stats; to others they are NULL.
SELECT
    l.pid, current_database()::text AS database, a.application_name, a.usename::text AS role, a.state,
    extract(epoch FROM clock_timestamp() - a.xact_start)::float8 AS seconds, left(a.query, 200) AS query
FROM pg_locks AS l
LEFT JOIN pg_stat_activity AS a ON a.pid = l.pid
WHERE l.locktype = 'advisory' AND l.classid = 29796 AND l.objid = 12 AND l.objsubid = 2 AND l.granted
    AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
ORDER BY seconds DESC NULLS FIRST, l.pid
LIMIT 100
