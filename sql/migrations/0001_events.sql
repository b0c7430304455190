-- The log: every event once, never changed. The id is the digest of whose it is and what names the fact at its source, so
-- that a redelivery finds its first telling however late it comes, and no client can take another's place.

CREATE FUNCTION event_id(client_id text, source text, source_event_id text) RETURNS uuid
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN md5(client_id || E'\x1f' || source || E'\x1f' || source_event_id)::uuid;

CREATE FUNCTION provider_reference(client_id text, provider text, provider_message_id text) RETURNS uuid
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN md5('provider' || E'\x1f' || client_id || E'\x1f' || provider || E'\x1f' || provider_message_id)::uuid;

CREATE FUNCTION message_reference(client_id text, message_id text) RETURNS uuid
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN md5('message' || E'\x1f' || client_id || E'\x1f' || message_id)::uuid;

-- `handle` is kind, E'\x1f', value.
CREATE FUNCTION handle_id(client_id text, handle text) RETURNS uuid
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN md5(client_id || E'\x1f' || handle)::uuid;

-- Texts are compared by their bytes: the least of two must not depend on a locale, nor change with its version.
-- Fixed-width columns come first, which saves their padding.
CREATE TABLE events (
    position bigserial NOT NULL,
    xid bigint NOT NULL DEFAULT (pg_current_xact_id()::text::bigint),
    occurred_at timestamptz,
    received_at timestamptz NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT now(),
    webhook_block bigint,
    id uuid NOT NULL,
    reference uuid,
    handle_id uuid,
    webhook_id uuid,
    schema_version smallint NOT NULL DEFAULT 1,
    type text COLLATE "C" NOT NULL,
    client_id text COLLATE "C" NOT NULL,
    channel text COLLATE "C",
    direction text COLLATE "C",
    source text COLLATE "C" NOT NULL,
    source_event_id text COLLATE "C" NOT NULL,
    provider text COLLATE "C",
    provider_message_id text COLLATE "C",
    message_id text COLLATE "C",
    handle_kind text COLLATE "C",
    handle_value text COLLATE "C",
    error jsonb,
    payload jsonb NOT NULL
);

ALTER TABLE events ADD CONSTRAINT events_pkey PRIMARY KEY (id);

CREATE INDEX events_reference ON events (reference) WHERE reference IS NOT NULL;

-- Whoever reads on from where he stopped goes by transaction, then position: positions are handed out before commit, so
-- a lower one may appear later, but below the oldest running transaction nothing appears any more.
CREATE UNIQUE INDEX events_place ON events (xid, position);

COMMENT ON TABLE events IS 'The log. Append only: the service may SELECT and INSERT.';
COMMENT ON COLUMN events.xid IS 'The transaction that appended it; with position its place in the log.';
COMMENT ON COLUMN events.reference IS 'What ties it to an interaction; NULL where it belongs to none.';
