-- Erasure of one of several customers whose events are in one interaction: a provider used an id again, or gives several recipients one.
-- His events leave it, and it is folded anew of what the others have; before, it went or stayed as a whole.

-- Whom else an interaction names: found by any of them, and folded like everything else, so that a rebuild gives the same.
ALTER TABLE interactions ADD COLUMN named uuid[];

COMMENT ON COLUMN interactions.named IS 'All handles that its events name, the 64 least; NULL where these are no others than user_handle_id and address_handle_id.';

-- Returns `interactions.named` of all handles and of the two that have columns.
CREATE FUNCTION named_handles(handles uuid[], user_handle uuid, address_handle uuid) RETURNS uuid[]
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN (
    SELECT CASE WHEN NOT every.handles <@ ARRAY[user_handle, address_handle] THEN every.handles[1:64] END
    FROM (SELECT array_agg(DISTINCT h ORDER BY h) FILTER (WHERE h IS NOT NULL) AS handles FROM unnest(handles) AS h) AS every
);

CREATE INDEX interactions_named ON interactions USING gin (named) WHERE named IS NOT NULL;
CREATE INDEX interactions_crowded ON interactions (client_id) WHERE cardinality(named) = 64;
CREATE INDEX interactions_address ON interactions (address_handle_id)
WHERE user_handle_id IS NOT NULL AND address_handle_id IS NOT NULL;

-- The events that an erasure takes out of interactions that stay, until its receipt is made.
CREATE TABLE erased_parts (
    erasure_id uuid NOT NULL,
    event_id uuid NOT NULL,
    his boolean NOT NULL,
    client_id text COLLATE "C" NOT NULL,
    CONSTRAINT erased_parts_pkey PRIMARY KEY (erasure_id, event_id)
);

COMMENT ON COLUMN erased_parts.his IS 'It is the customer''s, and leaves the interaction. Else it names nobody and may be anyone''s: it stays, without its words.';

SELECT separate_clients('erased_parts', 'threadline_service, threadline_reader');
GRANT SELECT, INSERT, DELETE ON erased_parts TO threadline_service;
GRANT SELECT ON erased_parts TO threadline_reader, threadline_tenant;
-- A message that was noted as removed may turn out to be another's, by what the archive has of it.
GRANT DELETE ON erased_references TO threadline_service;

ALTER TABLE erasures ADD COLUMN shared integer NOT NULL DEFAULT 0, ADD COLUMN nobodys integer NOT NULL DEFAULT 0;

COMMENT ON COLUMN erasures.shared IS 'Interactions that stay, since others have a part in them.';
COMMENT ON COLUMN erasures.nobodys IS 'Events in these that name nobody: their words are gone, their type and time stay.';

-- Takes the events of `erased_parts` out of their interactions; returns how many were changed. Those of the customer get the erasure's
-- id as their reference, which is noted as removed, so that they are emptied like all others (`empty_events`).
CREATE FUNCTION separate_events(erasure uuid) RETURNS bigint
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = threadline, pg_temp
AS $$
    WITH chosen AS MATERIALIZED (
        SELECT o.id, o.recorded_at, o.xid, o.position, p.his
        FROM erasures AS e
        JOIN erased_parts AS p ON p.erasure_id = e.id
        JOIN event_ids AS n ON n.id = p.event_id
        JOIN events AS o ON o.recorded_at = n.recorded_at AND o.xid = n.xid AND o.position = n.position AND o.client_id = e.client_id
        WHERE e.id = erasure AND e.state = 'purged'
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

REVOKE ALL ON FUNCTION separate_events(uuid) FROM public;
GRANT EXECUTE ON FUNCTION separate_events(uuid) TO threadline_service;

-- As in 0047, of what the customer had when the erasure was asked for: not of another holder of an address, whose customer was linked
-- with him since.
CREATE OR REPLACE FUNCTION erase_causes(erasure uuid) RETURNS bigint
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = threadline, pg_temp
AS $$
    WITH decided AS MATERIALIZED (
        SELECT t.event_id, encode(substr(decode(substr(t.cause, length('sealed:') + 1), 'base64'), 2, 16), 'hex')::uuid AS key_id
        FROM erasures AS e
        JOIN customer_changes AS t ON t.client_id = e.client_id AND t.cause IS NOT NULL
        CROSS JOIN LATERAL (
            SELECT array_agg(a.id) AS ids
            FROM assignments AS a
            WHERE a.handle_id = ANY (e.handles || e.kept) AND (
                a.handle_id = ANY (e.handles)
                OR CASE WHEN e.asked IS NULL THEN a.customer_id = present_customer(e.client_id, e.customer_id) ELSE a.id = ANY (e.asked) END
            )
        ) AS his
        WHERE e.id = erasure AND (t.ones && his.ids OR t.others && his.ids)
    ),
    destroyed AS (
        UPDATE handles AS h SET erased_at = now(), digest = NULL, salt = NULL, sealed = NULL
        FROM decided AS d
        WHERE h.id = d.key_id AND h.kind = 'nobody' AND h.platform = 'decision' AND h.erased_at IS NULL
    ),
    forgotten AS (
        UPDATE customer_changes AS t SET cause = NULL FROM decided AS d WHERE t.event_id = d.event_id
    ),
    emptied AS (
        UPDATE events AS v SET payload = v.payload - 'cause'
        FROM decided AS d
        JOIN event_ids AS n ON n.id = d.event_id
        WHERE v.recorded_at = n.recorded_at AND v.xid = n.xid AND v.position = n.position
        RETURNING v.id
    )
    SELECT count(*) FROM emptied
$$;

-- Whether people or services decided since a time whose an assignment is, or have ever undone such a decision. Asked of few: those that
-- another customer has by now.
CREATE FUNCTION decided_since(client text, assignment uuid, since timestamptz) RETURNS boolean
LANGUAGE sql STABLE SET search_path = threadline, pg_temp
AS $$
    SELECT EXISTS (
        SELECT FROM customer_changes AS t
        WHERE (t.ones @> ARRAY[assignment] OR t.others @> ARRAY[assignment]) AND t.client_id = client
            AND (t.at >= since OR t.undone_by IS NOT NULL)
    )
$$;

REVOKE ALL ON FUNCTION decided_since(text, uuid, timestamptz) FROM public;
GRANT EXECUTE ON FUNCTION decided_since(text, uuid, timestamptz) TO threadline_service, threadline_tenant;
