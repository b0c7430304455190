-- Who does not want messages: the last word of each recipient on each channel, folded from the log's `RecipientUnsubscribed`
-- and `RecipientSubscribed`. What is about a provider's list or group only stops that list, which the provider sees to, and
-- is not here. And what clients told of recipients, which nobody else knows.

CREATE TABLE consents (
    opted_out_at timestamptz,
    opted_in_at timestamptz,
    handle_id uuid NOT NULL,
    opted_out boolean GENERATED ALWAYS AS (
        opted_out_at IS NOT NULL AND (opted_in_at IS NULL OR opted_out_at >= opted_in_at)
    ) STORED,
    client_id text COLLATE "C" NOT NULL,
    channel text COLLATE "C" NOT NULL,
    opted_out_basis text COLLATE "C",
    opted_in_basis text COLLATE "C",
    CONSTRAINT consents_pkey PRIMARY KEY (handle_id, channel)
);

COMMENT ON COLUMN consents.channel IS '* where the event names none: it is about all channels.';
COMMENT ON COLUMN consents.opted_out IS 'Of two words at one time, the no counts.';
COMMENT ON COLUMN consents.opted_out_basis IS 'What the last opt-out rests on: keyword, error, complaint, api, or what it says itself; told where it says nothing.';

CREATE TABLE profiles (
    changed_at timestamptz NOT NULL DEFAULT now(),
    handle_id uuid NOT NULL,
    client_id text COLLATE "C" NOT NULL,
    zone text,
    CONSTRAINT profiles_pkey PRIMARY KEY (handle_id)
);

COMMENT ON COLUMN profiles.zone IS 'The recipient''s time zone by its name in the IANA database; NULL where it is not known any more.';

-- What the log has already. As in `queries/facts.sql`.
INSERT INTO consents (handle_id, client_id, channel, opted_out_at, opted_out_basis, opted_in_at, opted_in_basis)
SELECT
    e.handle_id, e.client_id, coalesce(e.channel, '*'),
    max(f.at) FILTER (WHERE NOT f.wanted),
    (array_agg(f.basis ORDER BY f.at DESC, f.basis DESC) FILTER (WHERE NOT f.wanted))[1],
    max(f.at) FILTER (WHERE f.wanted),
    (array_agg(f.basis ORDER BY f.at DESC, f.basis DESC) FILTER (WHERE f.wanted))[1]
FROM events AS e
CROSS JOIN LATERAL (
    SELECT
        least(coalesce(e.occurred_at, e.received_at), e.received_at) AS at,
        coalesce(left(e.payload ->> 'basis', 64), 'told') COLLATE "C" AS basis,
        e.type = 'RecipientSubscribed' AS wanted
) AS f
WHERE e.type IN ('RecipientUnsubscribed', 'RecipientSubscribed') AND e.handle_id IS NOT NULL
    AND NOT e.payload ?| ARRAY['list', 'unsubscribeGroup']
GROUP BY e.handle_id, e.client_id, coalesce(e.channel, '*');

GRANT SELECT, INSERT, UPDATE ON consents, profiles TO threadline_service;
GRANT SELECT ON consents, profiles TO threadline_reader;
