-- Serialises changes of a client's configuration: the next statement sees what the last transaction did.
SELECT pg_advisory_xact_lock(hashtextextended('threadline client ' || %(client_id)s, 0))
