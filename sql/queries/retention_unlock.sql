-- Releases the lock of `retention_lock`.
SELECT pg_advisory_unlock(29796, 29)
