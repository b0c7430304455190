-- What providers sign that do not sign the body: each token is good for what it first came with. Kept until its signature
-- has expired.

CREATE TABLE used_tokens (
    source text COLLATE "C" NOT NULL,
    token bytea NOT NULL,
    digest bytea NOT NULL,
    seen_until timestamptz NOT NULL,
    CONSTRAINT used_tokens_pkey PRIMARY KEY (source, token)
);

COMMENT ON COLUMN used_tokens.digest IS 'Of what it came with first; the same for a redelivery.';

CREATE INDEX used_tokens_expired ON used_tokens (seen_until);

GRANT SELECT, INSERT, UPDATE, DELETE ON used_tokens TO threadline_service;
