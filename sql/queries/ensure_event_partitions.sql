-- Makes the missing month partitions of the log.
SELECT name FROM ensure_event_partitions(%(months_ahead)s::integer) AS name
