-- Sizes of the store. Events, interactions and handles are estimates (of the last ANALYZE), since counting reads all rows.
SELECT
    (SELECT greatest(reltuples, 0)::bigint FROM pg_class WHERE oid = 'event_ids'::regclass) AS events,
    (SELECT greatest(reltuples, 0)::bigint FROM pg_class WHERE oid = 'interactions'::regclass) AS interactions,
    (SELECT greatest(reltuples, 0)::bigint FROM pg_class WHERE oid = 'assignments'::regclass) AS handles,
    (SELECT count(*) FROM dead_letters) AS dead_letters,
    (SELECT min(day) FROM raw_partitions) AS first_day,
    (SELECT max(day) FROM raw_partitions) AS last_day,
    (SELECT count(*) FROM raw_webhooks_default) AS unpartitioned_blocks,
    (SELECT count(*) FROM events_default) AS unpartitioned_events,
    pg_database_size(current_database()) AS database_bytes
