-- Serialises migrations of a database. The lock is held until the session ends.
SELECT pg_advisory_lock(29796, 3)
