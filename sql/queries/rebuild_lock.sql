-- Takes the lock that allows one rebuild at a time; held until the connection ends.
SELECT pg_try_advisory_lock(29796, 3) AS mine
