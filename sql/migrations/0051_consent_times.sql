-- The time of each opt-out and opt-in, by its event: told several times, it is as old as its first telling, whichever comes first.
-- `consents` has the latest of them, and could not become older by a telling that comes later.

CREATE TABLE consent_times (
    at timestamptz NOT NULL,
    handle_id uuid NOT NULL,
    identity uuid NOT NULL,
    wanted boolean NOT NULL,
    client_id text COLLATE "C" NOT NULL,
    channel text COLLATE "C" NOT NULL,
    basis text COLLATE "C" NOT NULL,
    CONSTRAINT consent_times_pkey PRIMARY KEY (handle_id, channel, wanted, identity)
);

-- The latest, however many there are.
CREATE INDEX consent_times_latest ON consent_times (handle_id, channel, wanted, at, basis);

COMMENT ON COLUMN consent_times.identity IS 'The event, whatever its versions; of one that only the archive had when this table was made, the handle.';
COMMENT ON COLUMN consent_times.wanted IS 'An opt-in; else an opt-out.';
COMMENT ON COLUMN consent_times.channel IS 'As in consents.';

SELECT separate_clients('consent_times', 'threadline_service, threadline_reader');
GRANT SELECT, INSERT, UPDATE, DELETE ON consent_times TO threadline_service;
GRANT SELECT ON consent_times TO threadline_reader;
GRANT SELECT, INSERT, UPDATE ON consent_times TO threadline_tenant;

-- What the log has already. As in `queries/consented.sql`.
INSERT INTO consent_times (handle_id, client_id, channel, wanted, identity, at, basis)
SELECT DISTINCT ON (e.handle_id, f.channel, f.wanted, f.identity)
    e.handle_id, e.client_id, f.channel, f.wanted, f.identity, f.at, f.basis
FROM events AS e
JOIN handles AS h ON h.id = e.handle_id AND h.erased_at IS NULL
CROSS JOIN LATERAL (
    SELECT
        coalesce(e.channel, '*') AS channel, e.type = 'RecipientSubscribed' AS wanted, coalesce(e.identity, e.id) AS identity,
        least(coalesce(e.occurred_at, e.received_at), e.received_at) AS at,
        coalesce(left(e.payload ->> 'basis', 64), 'told') COLLATE "C" AS basis
) AS f
WHERE e.type IN ('RecipientUnsubscribed', 'RecipientSubscribed') AND NOT e.payload ?| ARRAY['list', 'unsubscribeGroup']
ORDER BY e.handle_id, f.channel, f.wanted, f.identity, f.at, f.basis DESC;

-- What only the archive has. A rebuild makes it of the events.
INSERT INTO consent_times (handle_id, client_id, channel, wanted, identity, at, basis)
SELECT c.handle_id, c.client_id, c.channel, n.wanted, c.handle_id, n.at, n.basis
FROM consents AS c
CROSS JOIN LATERAL (
    VALUES (false, c.opted_out_at, c.opted_out_basis), (true, c.opted_in_at, c.opted_in_basis)
) AS n (wanted, at, basis)
WHERE n.at > coalesce((
    SELECT max(t.at) FROM consent_times AS t
    WHERE t.handle_id = c.handle_id AND t.channel = c.channel AND t.wanted = n.wanted
), '-infinity');
