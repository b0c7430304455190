-- What clients asked to be sent, and how far each message is. A row is work to be done: `waiting` ones are claimed when due.

CREATE FUNCTION lane_id(client_id text, account text) RETURNS uuid
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN md5('lane' || E'\x1f' || client_id || E'\x1f' || account)::uuid;

-- One account of one client: what leaves by it leaves at its rate, whichever worker sends it. `tokens` and `filled_at` are
-- its bucket; after `failures` in a row nothing leaves until `open_until`, then one at a time until one passes.
CREATE TABLE lanes (
    filled_at timestamptz NOT NULL DEFAULT now(),
    open_until timestamptz,
    id uuid NOT NULL,
    rate double precision,
    tokens double precision NOT NULL,
    burst integer NOT NULL,
    concurrency integer NOT NULL,
    failures integer NOT NULL DEFAULT 0,
    client_id text COLLATE "C" NOT NULL,
    account text COLLATE "C" NOT NULL,
    trouble text,
    CONSTRAINT lanes_pkey PRIMARY KEY (id)
) WITH (fillfactor = 50);

CREATE TABLE messages (
    accepted_at timestamptz NOT NULL DEFAULT now(),
    changed_at timestamptz NOT NULL DEFAULT now(),
    due_at timestamptz NOT NULL,
    not_before timestamptz,
    expires_at timestamptz,
    id uuid NOT NULL,
    lane uuid NOT NULL,
    priority smallint NOT NULL,
    claims integer NOT NULL DEFAULT 0,
    tries integer NOT NULL DEFAULT 0,
    waiting boolean GENERATED ALWAYS AS (state IN ('queued', 'held', 'sending', 'retrying', 'watched')) STORED,
    cancelled boolean NOT NULL DEFAULT false,
    released boolean NOT NULL DEFAULT false,
    state text COLLATE "C" NOT NULL,
    client_id text COLLATE "C" NOT NULL,
    message_id text COLLATE "C" NOT NULL,
    channel text COLLATE "C" NOT NULL,
    account text COLLATE "C" NOT NULL,
    tried text[] NOT NULL DEFAULT '{}',
    provider_message_id text COLLATE "C",
    cause text,
    error jsonb,
    handles jsonb NOT NULL DEFAULT '[]',
    request jsonb NOT NULL,
    fingerprint bytea NOT NULL,
    CONSTRAINT messages_pkey PRIMARY KEY (id),
    CONSTRAINT messages_priority CHECK (priority IN (0, 1, 2)),
    CONSTRAINT messages_state CHECK (
        state IN (
            'queued', 'held', 'sending', 'retrying', 'unanswered', 'watched', 'sent', 'failed', 'expired', 'cancelled'
        )
    )
) WITH (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.05);

-- A lane's next: what is due in it, by priority. Held messages stand behind the due ones and cost nothing.
CREATE INDEX messages_due ON messages (lane, priority, due_at) WHERE waiting;

CREATE INDEX messages_unanswered ON messages (id) WHERE state = 'unanswered';

COMMENT ON COLUMN messages.id IS 'message_reference(client_id, message_id), as the interaction''s.';
COMMENT ON COLUMN messages.due_at IS 'When it is worked on next; of one that is being sent, when its worker is taken for dead.';
COMMENT ON COLUMN messages.claims IS 'How often a worker took it; the number of an attempt is that of its claim.';
COMMENT ON COLUMN messages.tries IS 'Attempts on the present channel that were answered, or failed to reach the provider.';
COMMENT ON COLUMN messages.handles IS 'Pairs of a channel and the address on it (kind, E''\x1f'', value), for consents and profiles.';
COMMENT ON COLUMN messages.tried IS 'The channels that were given up.';

-- Each call of a provider, written before it is made. One without an answer may have been taken.
CREATE TABLE attempts (
    begun_at timestamptz NOT NULL DEFAULT now(),
    answered_at timestamptz,
    id uuid NOT NULL,
    number integer NOT NULL,
    status integer,
    channel text COLLATE "C" NOT NULL,
    account text COLLATE "C" NOT NULL,
    outcome text COLLATE "C",
    provider_message_id text COLLATE "C",
    error jsonb,
    CONSTRAINT attempts_pkey PRIMARY KEY (id, number),
    CONSTRAINT attempts_message FOREIGN KEY (id) REFERENCES messages (id)
) WITH (fillfactor = 80);

-- Answers to requests under an Idempotency-Key.
CREATE TABLE idempotency_keys (
    created_at timestamptz NOT NULL DEFAULT now(),
    status integer NOT NULL,
    client_id text COLLATE "C" NOT NULL,
    key text COLLATE "C" NOT NULL,
    fingerprint bytea NOT NULL,
    answer bytea NOT NULL,
    CONSTRAINT idempotency_keys_pkey PRIMARY KEY (client_id, key)
);

REVOKE ALL ON FUNCTION lane_id(text, text) FROM public;
GRANT EXECUTE ON FUNCTION lane_id(text, text) TO threadline_service;
GRANT SELECT, INSERT, UPDATE ON lanes, messages, attempts TO threadline_service;
GRANT SELECT, INSERT ON idempotency_keys TO threadline_service;
GRANT SELECT ON lanes, messages, attempts TO threadline_reader;
