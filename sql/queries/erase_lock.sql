-- Waits until nobody appends events, and keeps others from beginning until the transaction ends, which must be soon. Must be the
-- first statement of the transaction, before `writing`.
SELECT pg_advisory_xact_lock(29796, 12)
