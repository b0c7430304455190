-- A rebuild writes the tables beside; all else is the schema's. It waits only shortly for a lock that readers hold, since
-- writers and readers wait behind it. What a crash loses of its commits is all after the last that was kept, so the swap
-- cannot be there without what it swaps in.
SELECT
    set_config('role', 'threadline_owner', false),
    set_config('search_path', 'threadline_rebuild, threadline', false),
    set_config('timezone', 'UTC', false),
    set_config('synchronous_commit', 'off', false),
    set_config('enable_seqscan', 'off', false),
    set_config('jit', 'off', false),
    set_config('lock_timeout', '2s', false)
