-- Makes the missing day partitions of raw webhooks.
SELECT name FROM ensure_raw_partitions(%(days_ahead)s::integer) AS name
