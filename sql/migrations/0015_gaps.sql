-- What was passed over: offsets that Kafka deleted before they were read. Each stands here once, until an operator says that
-- it was seen to.
CREATE TABLE gaps (
    from_offset bigint NOT NULL,
    to_offset bigint NOT NULL,
    found_at timestamptz NOT NULL DEFAULT now(),
    acknowledged_at timestamptz,
    partition integer NOT NULL,
    topic text COLLATE "C" NOT NULL,
    acknowledged_by text,
    CONSTRAINT gaps_pkey PRIMARY KEY (topic, partition, from_offset)
);

COMMENT ON COLUMN gaps.from_offset IS 'The first offset that is gone: the one that was committed.';
COMMENT ON COLUMN gaps.to_offset IS 'The first offset after them that is there. Before `from_offset`: the log was cut off, and ends here.';

GRANT SELECT, INSERT, UPDATE (to_offset, found_at, acknowledged_at, acknowledged_by) ON gaps TO threadline_service;
GRANT SELECT ON gaps TO threadline_reader;
