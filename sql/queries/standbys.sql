-- Returns for which standbys commits wait, as configured, and how many are connected, of whatever name: the names are hidden
-- from roles without pg_read_all_stats.
SELECT current_setting('synchronous_standby_names') AS names, (SELECT count(*) FROM pg_stat_replication) AS connected
