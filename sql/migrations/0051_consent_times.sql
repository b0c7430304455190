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

-- As in 0044, but that an opt-out of a provider's list, which stays with its address, keeps that it is one: a rebuild took it for an
-- opt-out of everything.
CREATE OR REPLACE FUNCTION empty_events(erasure uuid, most integer) RETURNS bigint
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = threadline, pg_temp
AS $$
    WITH chosen AS MATERIALIZED (
        SELECT o.id, o.recorded_at, o.xid, o.position
        FROM erasures AS e
        JOIN erased_references AS r ON r.erasure_id = e.id
        JOIN events AS o ON o.reference = r.reference AND o.client_id = r.client_id
        WHERE e.id = erasure AND e.state = 'destroyed' AND o.source_event_id <> 'erased ' || o.id
        UNION
        SELECT a.id, a.recorded_at, a.xid, a.position
        FROM erasures AS e
        CROSS JOIN LATERAL erased_alone(e.id) AS a
        WHERE e.id = erasure AND e.state = 'destroyed' AND NOT a.emptied
        LIMIT most
    ),
    read AS MATERIALIZED (
        SELECT c.*, erased, NOT erased AND starts_with(o.type, 'Recipient') AS consent
        FROM chosen AS c
        JOIN events AS o ON o.recorded_at = c.recorded_at AND o.xid = c.xid AND o.position = c.position
        CROSS JOIN LATERAL (
            SELECT (SELECT h.erased_at IS NOT NULL FROM handles AS h WHERE h.id = o.handle_id) IS NOT FALSE AS erased
        ) AS own
    ),
    emptied AS (
        UPDATE events AS v SET
            source_event_id = 'erased ' || v.id, provider_message_id = NULL, message_id = NULL, webhook_id = NULL,
            webhook_block = NULL, trace = NULL,
            payload = CASE
                WHEN r.consent THEN (
                    SELECT coalesce(jsonb_object_agg(p.key, p.value), '{}')
                    FROM jsonb_each(v.payload) AS p WHERE p.key IN ('basis', 'list', 'unsubscribeGroup')
                )
                ELSE '{}'
            END,
            handle_id = CASE WHEN r.consent OR r.erased THEN v.handle_id END,
            handle_kind = CASE WHEN r.consent OR r.erased THEN v.handle_kind END,
            error = CASE WHEN v.error IS NOT NULL THEN jsonb_build_object('reason', v.error -> 'reason') END
        FROM read AS r
        WHERE v.recorded_at = r.recorded_at AND v.xid = r.xid AND v.position = r.position
        RETURNING v.id
    ),
    noted AS (
        UPDATE event_ids AS n SET content = 0 FROM emptied AS m WHERE n.id = m.id
    )
    SELECT count(*) FROM emptied
$$;

-- What an erasure takes apart, it takes apart step by step, while others append.
ALTER TABLE erased_parts ADD COLUMN interaction_id uuid, ADD COLUMN reference uuid;
GRANT UPDATE (interaction_id) ON erased_parts TO threadline_service;

COMMENT ON COLUMN erased_parts.interaction_id IS 'Where the event was, until that interaction is made anew.';
COMMENT ON COLUMN erased_parts.reference IS 'By which reference it was known there.';

-- As in 0049, of some events (NULL: of all that are left).
CREATE FUNCTION separate_events(erasure uuid, only_events uuid[]) RETURNS bigint
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = threadline, pg_temp
AS $$
    WITH chosen AS MATERIALIZED (
        SELECT o.id, o.recorded_at, o.xid, o.position, p.his
        FROM erasures AS e
        JOIN erased_parts AS p ON p.erasure_id = e.id
        JOIN event_ids AS n ON n.id = p.event_id
        JOIN events AS o ON o.recorded_at = n.recorded_at AND o.xid = n.xid AND o.position = n.position AND o.client_id = e.client_id
        WHERE e.id = erasure AND e.state = 'purged' AND (only_events IS NULL OR p.event_id = ANY (only_events))
            AND CASE WHEN p.his THEN o.reference <> e.id ELSE o.handle_id IS NULL AND o.source_event_id <> 'erased ' || o.id END
    ),
    moved AS (
        UPDATE events AS v SET reference = erasure
        FROM chosen AS c
        WHERE c.his AND v.recorded_at = c.recorded_at AND v.xid = c.xid AND v.position = c.position
        RETURNING v.id
    ),
    emptied AS (
        UPDATE events AS v SET
            source_event_id = 'erased ' || v.id, provider_message_id = NULL, message_id = NULL, webhook_id = NULL,
            webhook_block = NULL, trace = NULL, payload = '{}',
            error = CASE WHEN v.error IS NOT NULL THEN jsonb_build_object('reason', v.error -> 'reason') END
        FROM chosen AS c
        WHERE NOT c.his AND v.recorded_at = c.recorded_at AND v.xid = c.xid AND v.position = c.position
        RETURNING v.id
    ),
    noted AS (
        UPDATE event_ids AS n SET content = 0 FROM emptied AS m WHERE n.id = m.id
    ),
    -- A rebuild that was killed may have folded them as they were: the next one begins anew.
    folded AS (
        DELETE FROM threadline_rebuild.progress WHERE EXISTS (SELECT FROM chosen)
    )
    SELECT (SELECT count(*) FROM moved) + (SELECT count(*) FROM emptied)
$$;

REVOKE ALL ON FUNCTION separate_events(uuid, uuid[]) FROM public;
GRANT EXECUTE ON FUNCTION separate_events(uuid, uuid[]) TO threadline_service;
