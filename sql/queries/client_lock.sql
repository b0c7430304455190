-- Lets one transaction at a time change a client's configuration, so that the next statement sees what the last one did.
SELECT pg_advisory_xact_lock(hashtextextended('threadline client ' || %(client_id)s, 0))
