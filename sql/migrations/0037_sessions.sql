-- Sessions of people who logged in by an issuer. Of a session's secret, which its browser has as a cookie, only the hash is kept.

CREATE TABLE sessions (
    id uuid NOT NULL,
    hash bytea NOT NULL,
    former_hash bytea,
    issuer text COLLATE "C" NOT NULL,
    subject text COLLATE "C" NOT NULL,
    sid text COLLATE "C",
    holder text NOT NULL,
    clients text[] NOT NULL,
    scopes text[] NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    rotated_at timestamptz NOT NULL DEFAULT now(),
    used_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT sessions_pkey PRIMARY KEY (id),
    CONSTRAINT sessions_hash_key UNIQUE (hash)
);

CREATE UNIQUE INDEX sessions_former_hash ON sessions (former_hash) WHERE former_hash IS NOT NULL;
CREATE INDEX sessions_subject ON sessions (issuer, subject);
CREATE INDEX sessions_sid ON sessions (issuer, sid) WHERE sid IS NOT NULL;

COMMENT ON COLUMN sessions.former_hash IS 'Of the secret before the last rotation, which requests may still have that were under way.';
COMMENT ON COLUMN sessions.sid IS 'The issuer''s id of its own session, by which it ends this one (back-channel log-out).';
COMMENT ON COLUMN sessions.holder IS 'Who it is in the audit.';

GRANT SELECT, INSERT, DELETE, UPDATE (hash, former_hash, rotated_at, used_at) ON sessions TO threadline_service;

-- What was done to one subject, by the API (a client's pages: audit_of_client).
CREATE INDEX audit_of_subject ON audit (client_id, subject, position);
