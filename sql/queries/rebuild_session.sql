-- Sets up a rebuild's session: it writes the tables in `threadline_rebuild`, and reads all others in `threadline`. The lock
-- timeout of who swaps is short, since readers and writers queue behind a lock that waits. Commits are not synchronous: a crash loses the
-- last ones only, so the swap cannot survive without the rows that it swaps in.
SELECT
    set_config('role', 'threadline_owner', false),
    set_config('search_path', 'threadline_rebuild, threadline', false),
    set_config('timezone', 'UTC', false),
    set_config('synchronous_commit', 'off', false),
    set_config('enable_seqscan', 'off', false),
    set_config('jit', 'off', false),
    set_config('lock_timeout', %(lock_timeout)s, false)
