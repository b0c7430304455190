-- One migration at a time in a database. Held until the session ends.
SELECT pg_advisory_lock(29796, 3)
