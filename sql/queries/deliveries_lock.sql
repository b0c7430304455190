-- Serialises changes of many of a client's deliveries until the transaction ends. Each locks its rows in the order in which it
-- finds them, so that two of them at once could deadlock. A claim does not wait for rows, and needs no lock.
SELECT pg_advisory_xact_lock(hashtextextended('threadline deliveries ' || %(client_id)s, 0))
