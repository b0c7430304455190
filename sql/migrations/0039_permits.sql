-- The scope `personal:read`. Keys that exist, and people who are logged in, go on to see what they saw: the scope is given to each whose
-- scopes, or roles that do not have it, read personal data. Without it such data is masked.

UPDATE api_keys SET scopes = array_append(scopes, 'personal:read')
WHERE revoked_at IS NULL AND NOT 'personal:read' = ANY (scopes) AND (
    roles && ARRAY['operator', 'developer']
    OR scopes && ARRAY[
        'timeline:read', 'customers:write', 'customers:export', 'messages:read', 'recipients:read', 'recipients:write'
    ]
);

UPDATE sessions SET scopes = array_append(scopes, 'personal:read')
WHERE NOT 'personal:read' = ANY (scopes) AND scopes && ARRAY[
    'timeline:read', 'customers:write', 'customers:export', 'messages:read', 'recipients:read', 'recipients:write'
];

-- Erasures that wait for a second person (the setting `erasure.approval`). One becomes a row of `erasures`, of the same id, when it is
-- approved: until then no step of an erasure sees it.
CREATE TABLE erasure_requests (
    requested_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL,
    decided_at timestamptz,
    id uuid NOT NULL,
    customer_id uuid NOT NULL,
    client_id text COLLATE "C" NOT NULL,
    actor text COLLATE "C" NOT NULL,
    party text COLLATE "C" NOT NULL,
    reason text NOT NULL,
    decision text COLLATE "C",
    decided_by text COLLATE "C",
    decided_party text COLLATE "C",
    why text,
    CONSTRAINT erasure_requests_pkey PRIMARY KEY (id),
    CONSTRAINT erasure_requests_decision CHECK (decision IN ('approved', 'refused', 'expired')),
    CONSTRAINT erasure_requests_decided CHECK ((decision IS NULL) = (decided_at IS NULL)),
    CONSTRAINT erasure_requests_second CHECK (decision <> 'approved' OR (decided_party IS NOT NULL AND decided_party <> party))
);

-- One of a customer waits at a time.
CREATE UNIQUE INDEX erasure_requests_waiting ON erasure_requests (client_id, customer_id) WHERE decision IS NULL;
CREATE INDEX erasure_requests_of_client ON erasure_requests (client_id, requested_at);

COMMENT ON COLUMN erasure_requests.party IS 'Who asked, by whatever credential of theirs that can be known to be so (`sql.approvals`).';
COMMENT ON COLUMN erasure_requests.why IS 'Why it was refused.';

GRANT SELECT, INSERT ON erasure_requests TO threadline_service, threadline_tenant;
GRANT UPDATE (decided_at, decision, decided_by, decided_party, why) ON erasure_requests TO threadline_service, threadline_tenant;
GRANT SELECT ON erasure_requests TO threadline_reader;

SELECT separate_clients('erasure_requests', 'threadline_service, threadline_reader');

-- The sessions of people who may act for a client.
CREATE INDEX sessions_clients ON sessions USING gin (clients);
