-- Sets up every connection of the store: the schema, UTC, synchronous commits, and plans by index only (a plan made while a
-- table was small must not scan it when it has grown). A transaction that idles for a minute, because its process was
-- stopped, is ended, since others wait for it; none of ours lasts seconds.
SELECT
    set_config('search_path', 'threadline', false),
    set_config('timezone', 'UTC', false),
    set_config('synchronous_commit', 'on', false),
    set_config('enable_seqscan', 'off', false),
    set_config('jit', 'off', false),
    set_config('plan_cache_mode', 'force_generic_plan', false),
    set_config('idle_in_transaction_session_timeout', '60s', false)
