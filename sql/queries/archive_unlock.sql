-- Releases the lock of `rebuild_lock`.
SELECT pg_advisory_unlock(29796, 3)
