-- A rebuild writes the tables beside; all else is the schema's. It waits only shortly for a lock that readers hold.
SELECT
    set_config('role', 'threadline_owner', false),
    set_config('search_path', 'threadline_rebuild, threadline', false),
    set_config('timezone', 'UTC', false),
    set_config('enable_seqscan', 'off', false),
    set_config('jit', 'off', false),
    set_config('lock_timeout', '5s', false)
