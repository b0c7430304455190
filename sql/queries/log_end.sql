-- The next transaction number: no place in the log is beyond it.
SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint AS log_end
