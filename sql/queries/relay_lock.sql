-- Tries to take the lock of the one worker that relays; held until the connection ends. The server notices within eleven seconds
-- if the host dies without closing the connection.
SELECT
    pg_try_advisory_lock(29796, 11) AS mine, set_config('tcp_keepalives_idle', '5', false),
    set_config('tcp_keepalives_interval', '2', false), set_config('tcp_keepalives_count', '3', false)
