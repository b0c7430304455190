-- The log by the month of `recorded_at`, and the identity of its events in a table of its own, which has no months: so a
-- redelivery finds its first version however late it comes, and a month can be archived and dropped.

-- An event is recorded within an hour of the beginning of its transaction, which is its `recorded_at`: so a month is complete an
-- hour after its end.
CREATE OR REPLACE FUNCTION announce_writer() RETURNS trigger
LANGUAGE plpgsql
AS $$
BEGIN
    IF clock_timestamp() > now() + interval '1 hour' THEN
        RAISE EXCEPTION 'a transaction that began more than an hour ago cannot append events'
            USING ERRCODE = 'invalid_transaction_state';
    END IF;
    IF pg_current_xact_id_if_assigned() IS NULL THEN
        PERFORM pg_advisory_xact_lock_shared(29796, 12),
            set_config('threadline.writer', pg_current_xact_id()::text, true);
    ELSIF current_setting('threadline.writer', true) IS DISTINCT FROM pg_current_xact_id()::text THEN
        RAISE EXCEPTION 'a transaction that appends events must begin with queries/writing.sql'
            USING ERRCODE = 'invalid_transaction_state';
    END IF;
    RETURN NULL;
END
$$;

ALTER TABLE events RENAME TO events_before;
ALTER TABLE events_before RENAME CONSTRAINT events_pkey TO events_before_pkey;
ALTER INDEX events_place RENAME TO events_before_place;
ALTER INDEX events_reference RENAME TO events_before_reference;
ALTER INDEX events_tied RENAME TO events_before_tied;

CREATE TABLE events (LIKE events_before INCLUDING DEFAULTS INCLUDING COMMENTS) PARTITION BY RANGE (recorded_at);
ALTER SEQUENCE events_position_seq OWNED BY events.position;

-- The log's order. Not unique: the sequence makes it so, and nothing conflicts by it.
CREATE INDEX events_place ON events (xid, position);
CREATE INDEX events_reference ON events (reference) WHERE reference IS NOT NULL;
CREATE INDEX events_tied ON events (reference, xid, position)
WHERE provider_message_id IS NOT NULL AND message_id IS NOT NULL;

COMMENT ON TABLE events IS 'The log. Append only: the service may SELECT and INSERT. One partition a month of recorded_at.';

-- Holds what comes in a month whose partition nobody made in time: an event must not wait for that.
CREATE TABLE events_default PARTITION OF events DEFAULT;

-- One row an event, also of months that are archived.
CREATE TABLE event_ids (
    recorded_at timestamptz NOT NULL DEFAULT now(),
    xid bigint NOT NULL,
    position bigint NOT NULL,
    content bigint NOT NULL,
    id uuid NOT NULL,
    identity uuid,
    CONSTRAINT event_ids_pkey PRIMARY KEY (id)
);

CREATE INDEX event_ids_identity ON event_ids (identity) WHERE identity IS NOT NULL;

COMMENT ON TABLE event_ids IS 'What makes twice once: the id of every event, with its place. Append only.';
COMMENT ON COLUMN event_ids.content IS 'A hash of what the event says, by which a repeat is compared once the event is archived.';
COMMENT ON COLUMN event_ids.identity IS 'As in events.';

-- The hash of what an event says: the columns of `queries/content_digest.sql`.
CREATE FUNCTION event_content(
    type text, channel text, direction text, provider text, provider_message_id text, message_id text, handle_id uuid, error jsonb,
    occurred_at timestamptz, payload jsonb
) RETURNS bigint
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN hash_record_extended(
    ROW(type, channel, direction, provider, provider_message_id, message_id, handle_id, error, occurred_at, payload), 0
);

-- The months that have a partition.
CREATE VIEW event_partitions AS
SELECT c.relname::text AS name, to_date(substr(c.relname, 8), 'YYYYMM') AS month, c.oid::regclass AS partition
FROM pg_inherits AS i
JOIN pg_class AS c ON c.oid = i.inhrelid
WHERE i.inhparent = 'events'::regclass AND c.relname ~ '^events_[0-9]{6}$';

-- Makes the partition of a month, and moves into it what the default has of that month. Returns its name.
CREATE FUNCTION make_event_partition(month date) RETURNS text
LANGUAGE plpgsql SET search_path = threadline, pg_temp
AS $$
DECLARE
    first constant timestamptz := month::timestamp AT TIME ZONE 'UTC';
    after constant timestamptz := (month + interval '1 month')::timestamp AT TIME ZONE 'UTC';
    partition constant text := 'events_' || to_char(month, 'YYYYMM');
BEGIN
    EXECUTE format('CREATE TABLE %I (LIKE events INCLUDING DEFAULTS INCLUDING CONSTRAINTS)', partition);
    LOCK TABLE events_default IN SHARE ROW EXCLUSIVE MODE;
    EXECUTE format(
        'WITH late AS (DELETE FROM events_default WHERE recorded_at >= %L AND recorded_at < %L RETURNING *) '
        'INSERT INTO %I SELECT * FROM late',
        first, after, partition
    );
    EXECUTE format('ALTER TABLE events ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)', partition, first, after);
    RETURN partition;
END
$$;

-- Makes the partitions of this month and of the months ahead that are missing; gives their names. The service calls it, and may
-- do no more than this to the schema.
CREATE FUNCTION ensure_event_partitions(months_ahead integer) RETURNS SETOF text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = threadline, pg_temp
AS $$
DECLARE
    this constant date := date_trunc('month', now() AT TIME ZONE 'UTC')::date;
    wanted date;
BEGIN
    PERFORM pg_advisory_xact_lock(29796, 4);
    FOR wanted IN SELECT (this + make_interval(months => n))::date FROM generate_series(0, least(months_ahead, 24)) AS n
    LOOP
        IF NOT EXISTS (SELECT FROM event_partitions WHERE month = wanted) THEN
            RETURN NEXT make_event_partition(wanted);
        END IF;
    END LOOP;
END
$$;

-- This month, the next, and those of which there are events already.
SELECT ensure_event_partitions(1);
SELECT make_event_partition(m.month)
FROM (SELECT DISTINCT date_trunc('month', recorded_at AT TIME ZONE 'UTC')::date AS month FROM events_before) AS m
WHERE m.month NOT IN (SELECT p.month FROM event_partitions AS p);

INSERT INTO event_ids (recorded_at, xid, position, content, id, identity)
SELECT
    recorded_at, xid, position,
    event_content(
        type, channel, direction, provider, provider_message_id, message_id, handle_id, error, occurred_at, payload
    ),
    id, identity
FROM events_before;

-- The trigger comes after: these are no new events.
INSERT INTO events SELECT * FROM events_before ORDER BY xid, position;
DROP TABLE events_before;
CREATE TRIGGER events_announced BEFORE INSERT ON events FOR EACH STATEMENT EXECUTE FUNCTION announce_writer();

REVOKE ALL ON FUNCTION
    event_content(text, text, text, text, text, text, uuid, jsonb, timestamptz, jsonb), make_event_partition(date),
    ensure_event_partitions(integer)
FROM public;
GRANT EXECUTE ON FUNCTION event_content(text, text, text, text, text, text, uuid, jsonb, timestamptz, jsonb)
TO threadline_service;
GRANT EXECUTE ON FUNCTION ensure_event_partitions(integer) TO threadline_service;
GRANT SELECT, INSERT ON events, event_ids TO threadline_service;
GRANT SELECT ON events_default, event_partitions TO threadline_service;
GRANT SELECT ON events, event_ids, event_partitions TO threadline_reader;

-- How far a rebuild has come: a row a part, of which the negative ones tie ids and the others fold, each a section of the log. A
-- killed rebuild goes on from here.
CREATE TABLE threadline_rebuild.progress (
    xid bigint NOT NULL DEFAULT 0,
    position bigint NOT NULL DEFAULT 0,
    upto_xid bigint NOT NULL DEFAULT 0,
    upto_position bigint NOT NULL DEFAULT 0,
    events bigint NOT NULL DEFAULT 0,
    part smallint NOT NULL,
    made_with text NOT NULL,
    CONSTRAINT progress_pkey PRIMARY KEY (part)
);

-- Ranges of the log that a rebuild has still to link, by one process.
CREATE TABLE threadline_rebuild.left_to_link (
    after_xid bigint NOT NULL,
    after_position bigint NOT NULL,
    upto_xid bigint NOT NULL,
    upto_position bigint NOT NULL,
    events bigint NOT NULL,
    linking boolean NOT NULL,
    relating boolean NOT NULL,
    CONSTRAINT left_to_link_pkey PRIMARY KEY (upto_xid, upto_position)
);

COMMENT ON COLUMN threadline_rebuild.progress.made_with IS 'The digest of the statements that began it: others begin anew.';

-- The files of archived months. A month is archived part by part; its partition is dropped when all parts were read back, and may be
-- restored from them.
CREATE TABLE archive_files (
    month date NOT NULL,
    events bigint NOT NULL,
    last_xid bigint NOT NULL,
    last_position bigint NOT NULL,
    written_at timestamptz NOT NULL DEFAULT now(),
    verified_at timestamptz,
    part integer NOT NULL,
    file text COLLATE "C" NOT NULL,
    digest bytea NOT NULL,
    checksum bytea NOT NULL,
    CONSTRAINT archive_files_pkey PRIMARY KEY (month, part)
);

COMMENT ON COLUMN archive_files.digest IS 'SHA-256 of the rows as CSV, in the order of the log.';
COMMENT ON COLUMN archive_files.checksum IS 'SHA-256 of the file.';
COMMENT ON COLUMN archive_files.last_position IS 'With last_xid the place in the log of its last event.';

GRANT SELECT ON archive_files TO threadline_service, threadline_reader;
