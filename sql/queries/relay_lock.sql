-- Tries to become the one worker that relays; held until the connection ends. A host that dies without a word is found
-- out by the server within eleven seconds.
SELECT
    pg_try_advisory_lock(29796, 11) AS mine, set_config('tcp_keepalives_idle', '5', false),
    set_config('tcp_keepalives_interval', '2', false), set_config('tcp_keepalives_count', '3', false)
