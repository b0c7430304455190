-- The oldest transaction still running: what older ones appended is visible, and will not grow.
SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint AS horizon
