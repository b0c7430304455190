-- Sets up the session that archives: as the owner, in UTC, with the log read by index and a short wait for locks, since readers
-- and writers queue behind a lock that waits.
SELECT
    set_config('role', 'threadline_owner', false),
    set_config('search_path', 'threadline', false),
    set_config('timezone', 'UTC', false),
    set_config('datestyle', 'ISO', false),
    set_config('enable_seqscan', 'off', false),
    set_config('lock_timeout', '2s', false)
