-- Webhooks as they came, one row a batch: zstd of the records, each after its length. Dropped by the day.

CREATE TABLE raw_webhooks (
    day date NOT NULL DEFAULT ((now() AT TIME ZONE 'UTC')::date),
    block bigserial NOT NULL,
    records integer NOT NULL,
    size bigint NOT NULL,
    body bytea NOT NULL,
    CONSTRAINT raw_webhooks_pkey PRIMARY KEY (block, day)
) PARTITION BY RANGE (day);

-- It is compressed already.
ALTER TABLE raw_webhooks ALTER COLUMN body SET STORAGE EXTERNAL;

-- Holds what comes on a day whose partition nobody made in time: a webhook must not wait for that.
CREATE TABLE raw_webhooks_default PARTITION OF raw_webhooks DEFAULT;

-- The days that have a partition.
CREATE VIEW raw_partitions AS
SELECT c.relname::text AS name, to_date(substr(c.relname, 14), 'YYYYMMDD') AS day
FROM pg_inherits AS i
JOIN pg_class AS c ON c.oid = i.inhrelid
WHERE i.inhparent = 'raw_webhooks'::regclass AND c.relname ~ '^raw_webhooks_[0-9]{8}$';

-- Makes the partitions of today and the days ahead that are missing; gives their names. The service calls it, and may
-- do no more than this to the schema.
CREATE FUNCTION ensure_raw_partitions(days_ahead integer) RETURNS SETOF text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = threadline, pg_temp
AS $$
DECLARE
    today constant date := (now() AT TIME ZONE 'UTC')::date;
    wanted date;
    partition text;
BEGIN
    PERFORM pg_advisory_xact_lock(29796, 4);
    FOR wanted IN SELECT today + n FROM generate_series(0, least(days_ahead, 366)) AS n
        WHERE today + n NOT IN (SELECT day FROM raw_partitions)
    LOOP
        partition := 'raw_webhooks_' || to_char(wanted, 'YYYYMMDD');
        EXECUTE format('CREATE TABLE %I (LIKE raw_webhooks INCLUDING DEFAULTS INCLUDING CONSTRAINTS)', partition);
        EXECUTE format('ALTER TABLE %I ALTER COLUMN body SET STORAGE EXTERNAL', partition);
        LOCK TABLE raw_webhooks_default IN SHARE ROW EXCLUSIVE MODE;
        EXECUTE format(
            'WITH late AS (DELETE FROM raw_webhooks_default WHERE day = %L RETURNING *) INSERT INTO %I SELECT * FROM late',
            wanted, partition
        );
        EXECUTE format(
            'ALTER TABLE raw_webhooks ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)', partition, wanted, wanted + 1
        );
        RETURN NEXT partition;
    END LOOP;
END
$$;

-- Drops the partitions of days more than `older_than_days` ago, and such rows of the default; gives the names.
CREATE FUNCTION drop_raw_partitions(older_than_days integer) RETURNS SETOF text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = threadline, pg_temp
AS $$
DECLARE
    oldest constant date := (now() AT TIME ZONE 'UTC')::date - greatest(older_than_days, 1);
    partition text;
BEGIN
    PERFORM pg_advisory_xact_lock(29796, 4);
    DELETE FROM raw_webhooks_default WHERE day < oldest;
    FOR partition IN SELECT name FROM raw_partitions WHERE day < oldest ORDER BY day
    LOOP
        EXECUTE format('DROP TABLE %I', partition);
        RETURN NEXT partition;
    END LOOP;
END
$$;
