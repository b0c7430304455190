-- The way back: how far the log was told, which clients are told of their messages, and what was told to them.

-- The place in the log (xid, position) up to which it was relayed. Advanced after Kafka has acknowledged.
CREATE TABLE relay_cursor (
    xid bigint NOT NULL,
    position bigint NOT NULL,
    relayed_at timestamptz NOT NULL DEFAULT now(),
    only_one boolean NOT NULL DEFAULT true,
    CONSTRAINT relay_cursor_pkey PRIMARY KEY (only_one),
    CONSTRAINT relay_cursor_only_one CHECK (only_one)
);

-- What a client's configuration says of its callback, and how the callback does.
CREATE TABLE callbacks (
    created_at timestamptz NOT NULL DEFAULT now(),
    failing_since timestamptz,
    disabled_at timestamptz,
    client_id text COLLATE "C" NOT NULL,
    url text COLLATE "C" NOT NULL,
    types text[] COLLATE "C" NOT NULL DEFAULT '{}',
    disabled_reason text COLLATE "C",
    CONSTRAINT callbacks_pkey PRIMARY KEY (client_id)
);

COMMENT ON COLUMN callbacks.types IS 'The event types that are told; all where empty.';
COMMENT ON COLUMN callbacks.failing_since IS 'The first failure after the last success.';

-- What deliveries are signed with, sealed. One that has expired signs no more.
CREATE TABLE callback_secrets (
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz,
    version integer NOT NULL,
    client_id text COLLATE "C" NOT NULL,
    sealed bytea NOT NULL,
    CONSTRAINT callback_secrets_pkey PRIMARY KEY (client_id, version)
);

-- An event of a message that its client is told, or was. The body is made from the event each time, so that nothing
-- personal is kept here.
CREATE TABLE deliveries (
    due_at timestamptz NOT NULL DEFAULT now(),
    recorded_at timestamptz NOT NULL,
    attempted_at timestamptz,
    xid bigint NOT NULL,
    position bigint NOT NULL,
    event_id uuid NOT NULL,
    secret_version integer,
    attempts smallint NOT NULL DEFAULT 0,
    last_status smallint,
    client_id text COLLATE "C" NOT NULL,
    message_id text COLLATE "C" NOT NULL,
    state text COLLATE "C" NOT NULL DEFAULT 'waiting',
    last_error text COLLATE "C",
    CONSTRAINT deliveries_pkey PRIMARY KEY (client_id, event_id),
    CONSTRAINT deliveries_state CHECK (state IN ('waiting', 'delivered', 'failed'))
) WITH (fillfactor = 80);

CREATE INDEX deliveries_due ON deliveries (client_id, due_at, xid, position) WHERE state = 'waiting';
-- A message's events are told in the order of the log: a later one waits for an earlier one.
CREATE INDEX deliveries_order ON deliveries (client_id, message_id, xid, position) WHERE state = 'waiting';
CREATE INDEX deliveries_recorded ON deliveries (client_id, recorded_at, xid, position);
CREATE INDEX deliveries_age ON deliveries (recorded_at);

COMMENT ON COLUMN deliveries.due_at IS 'When it is tried next; while it is being tried, until when it is taken.';
COMMENT ON COLUMN deliveries.recorded_at IS 'Of the event.';

GRANT SELECT, INSERT, UPDATE ON relay_cursor, callbacks TO threadline_service;
GRANT SELECT, INSERT, UPDATE (expires_at), DELETE ON callback_secrets TO threadline_service;
GRANT SELECT, INSERT, UPDATE, DELETE ON deliveries TO threadline_service;
GRANT SELECT ON relay_cursor, callbacks, deliveries TO threadline_reader;
