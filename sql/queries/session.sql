-- How every connection of the store works: names are the schema's, times are UTC, the commit is on disk, and every look-up
-- is by index (a plan made while a table was small must not go on reading all of it when it has grown). Nothing of ours takes
-- seconds within a transaction: one that is left open, by a process that was stopped, ends, since others wait for it.
SELECT
    set_config('search_path', 'threadline', false),
    set_config('timezone', 'UTC', false),
    set_config('synchronous_commit', 'on', false),
    set_config('enable_seqscan', 'off', false),
    set_config('jit', 'off', false),
    set_config('plan_cache_mode', 'force_generic_plan', false),
    set_config('idle_in_transaction_session_timeout', '60s', false)
