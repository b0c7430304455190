-- Says that this transaction is going to append: the first statement of each that does. The lock is shared by all writers and
-- ends with the transaction; it must be there before the transaction has its number (see `horizon`).
SELECT pg_advisory_xact_lock_shared(29796, 12), set_config('threadline.writer', pg_current_xact_id()::text, true)
