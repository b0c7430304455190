-- Takes the lock that allows one removal of expired rows at a time; held until `retention_unlock` or the connection ends.
SELECT pg_try_advisory_lock(29796, 29) AS mine
