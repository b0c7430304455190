-- What clients configured, their accounts at providers, and who changed what.

-- Append only: each change is a version, and the highest counts.
CREATE TABLE clients (
    client_id text COLLATE "C" NOT NULL,
    version integer NOT NULL,
    document jsonb NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    actor text NOT NULL,
    CONSTRAINT clients_pkey PRIMARY KEY (client_id, version),
    CONSTRAINT clients_version CHECK (version >= 1)
);

-- One row an account, and no older ones: a secret that was replaced or removed is gone. `sealed` is ciphertext, and
-- `key_id` names the key it opens with; both programs have that key, and the database does not.
CREATE TABLE accounts (
    client_id text COLLATE "C" NOT NULL,
    name text COLLATE "C" NOT NULL,
    version integer NOT NULL,
    adapter text COLLATE "C" NOT NULL,
    source text COLLATE "C" NOT NULL,
    url text,
    trusted boolean NOT NULL,
    sealed bytea NOT NULL,
    key_id text COLLATE "C" NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    changed_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT accounts_pkey PRIMARY KEY (client_id, name)
);

-- Who changed what. Never a secret in it.
CREATE TABLE audit (
    position bigint GENERATED ALWAYS AS IDENTITY,
    at timestamptz NOT NULL DEFAULT now(),
    actor text NOT NULL,
    client_id text COLLATE "C" NOT NULL,
    action text COLLATE "C" NOT NULL,
    subject text COLLATE "C" NOT NULL,
    detail jsonb NOT NULL DEFAULT '{}',
    CONSTRAINT audit_pkey PRIMARY KEY (position)
);

CREATE INDEX audit_of_client ON audit (client_id, position);

GRANT SELECT, INSERT ON clients, audit TO threadline_service;
GRANT SELECT, INSERT, DELETE ON accounts TO threadline_service;
GRANT UPDATE (version, adapter, source, url, trusted, sealed, key_id, changed_at) ON accounts TO threadline_service;

GRANT SELECT ON clients, audit TO threadline_reader;
GRANT SELECT (client_id, name, version, adapter, source, url, trusted, key_id, created_at, changed_at) ON accounts
TO threadline_reader;
