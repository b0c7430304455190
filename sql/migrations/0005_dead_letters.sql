-- What cannot be processed, with its reason, to be looked at and replayed.

CREATE TABLE dead_letters (
    id uuid NOT NULL,
    topic text COLLATE "C" NOT NULL,
    partition integer NOT NULL,
    "offset" bigint NOT NULL,
    ordinal integer NOT NULL,
    webhook_id uuid,
    source text COLLATE "C",
    reason text COLLATE "C" NOT NULL,
    detail jsonb,
    value bytea,
    recorded_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT dead_letters_pkey PRIMARY KEY (id)
);

CREATE INDEX dead_letters_recorded ON dead_letters (recorded_at);
