-- Announces that this transaction will append events; it must be the first statement of the transaction. All writers share
-- the lock, which ends with the transaction; it must be held before the transaction has its number (see `horizon`).
SELECT pg_advisory_xact_lock_shared(29796, 12), set_config('threadline.writer', pg_current_xact_id()::text, true)
