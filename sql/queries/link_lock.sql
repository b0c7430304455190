-- Linking is done by one transaction at a time: what one links, the next must see.
SELECT pg_advisory_xact_lock(29796, 2)
