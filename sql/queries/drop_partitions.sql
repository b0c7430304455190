-- Drops the expired day partitions of raw webhooks.
SELECT name FROM drop_raw_partitions(%(older_than_days)s::integer) AS name
