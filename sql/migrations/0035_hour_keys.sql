-- The keys of raw records: one an hour and purpose, encrypted by a key of the settings (`sql/hour_keys.py`). One that has lost
-- `sealed` can never be had again: what it encrypted is unreadable from then on, wherever it is.

CREATE TABLE hour_keys (
    id uuid NOT NULL,
    purpose text COLLATE "C" NOT NULL,
    hour timestamptz NOT NULL,
    sealed bytea,
    destroyed_at timestamptz,
    needed_at timestamptz,
    CONSTRAINT hour_keys_pkey PRIMARY KEY (id),
    CONSTRAINT hour_keys_hour UNIQUE (purpose, hour),
    CONSTRAINT hour_keys_whole_hour CHECK (hour = date_trunc('hour', hour, 'UTC')),
    CONSTRAINT hour_keys_destroyed CHECK ((sealed IS NULL) = (destroyed_at IS NOT NULL))
);

CREATE INDEX hour_keys_kept ON hour_keys (purpose, hour) WHERE sealed IS NOT NULL;

COMMENT ON COLUMN hour_keys.sealed IS 'The key, encrypted; NULL once destroyed.';
COMMENT ON COLUMN hour_keys.needed_at IS 'When a door last had records under it that are not on Kafka yet: its time counts from then.';

-- A dead letter's `value` is encrypted too, and its `reason` is in the general form, where it has this.
ALTER TABLE dead_letters
    ADD COLUMN sealed_reason bytea,
    ADD COLUMN sealed_detail bytea;

COMMENT ON COLUMN dead_letters.sealed_reason IS 'The whole reason, encrypted. NULL: value, reason, detail and items are not encrypted.';
COMMENT ON COLUMN dead_letters.sealed_detail IS 'Detail and items, encrypted as JSON; NULL where there are none.';

GRANT SELECT, INSERT (id, purpose, hour, sealed), UPDATE (sealed, destroyed_at, needed_at) ON hour_keys TO threadline_service;
GRANT UPDATE (sealed_reason, sealed_detail) ON dead_letters TO threadline_service;
