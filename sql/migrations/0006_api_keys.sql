-- Keys to the API. Only a secret's hash is kept.

CREATE TABLE api_keys (
    id uuid NOT NULL,
    name text NOT NULL,
    client_id text COLLATE "C" NOT NULL,
    scopes text[] NOT NULL,
    hash bytea NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    revoked_at timestamptz,
    CONSTRAINT api_keys_pkey PRIMARY KEY (id)
);
