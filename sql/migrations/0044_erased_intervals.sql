-- Erasure where an address is another customer's too, or was: a recycled number, a handle that several people share. Its key opens
-- what the others said, so that it stays; what the erased customer said, and was told, while he had it is removed, and emptied in
-- the log. The same for events that belong to no interaction.

-- When an erased customer had an address whose key stays.
CREATE TABLE erased_intervals (
    valid_from timestamptz NOT NULL,
    valid_to timestamptz NOT NULL,
    erasure_id uuid NOT NULL,
    handle_id uuid NOT NULL,
    client_id text COLLATE "C" NOT NULL,
    CONSTRAINT erased_intervals_pkey PRIMARY KEY (erasure_id, handle_id, valid_from)
);

CREATE INDEX erased_intervals_handle ON erased_intervals (handle_id);

COMMENT ON TABLE erased_intervals IS 'When an erased customer had an address that another customer has or had: what it says of that time is emptied.';
COMMENT ON COLUMN erased_intervals.valid_to IS 'Exclusive; at most the time of the fence.';
COMMENT ON COLUMN erasures.kept IS 'Handles of the customer that another customer has had too: their keys stay, and what they say of his time is emptied.';

SELECT separate_clients('erased_intervals', 'threadline_service, threadline_reader');
GRANT SELECT, INSERT ON erased_intervals TO threadline_service;
GRANT SELECT ON erased_intervals TO threadline_tenant, threadline_reader;

-- Events of a person that belong to no interaction: opt-outs without a message, and what no type fits.
CREATE INDEX events_alone ON events (handle_id) WHERE reference IS NULL AND handle_id IS NOT NULL;

COMMENT ON COLUMN event_ids.content IS 'A hash of what the event says, by which a repeat is compared once the event is archived; 0: it was emptied, and whatever is told under its id again is a repeat.';

-- Whether events of a type name random ids, and nothing else: links of handles, and decisions on customers, which a rebuild needs.
CREATE FUNCTION says_ids_alone(type text) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN type IN ('HandleLinked', 'HandleUnlinked', 'CustomersMerged', 'CustomersSplit', 'CustomerChangeUndone');

-- The events of an erasure that belong to no interaction, with their places: those of its handles, and those of its intervals.
CREATE FUNCTION erased_alone(
    erasure uuid, OUT id uuid, OUT recorded_at timestamptz, OUT xid bigint, OUT "position" bigint, OUT emptied boolean
) RETURNS SETOF record
LANGUAGE sql STABLE
AS $$
    SELECT o.id, o.recorded_at, o.xid, o.position, o.source_event_id = 'erased ' || o.id
    FROM erasures AS e
    CROSS JOIN LATERAL unnest(e.handles) AS h (id)
    JOIN events AS o ON o.handle_id = h.id AND o.reference IS NULL AND o.client_id = e.client_id
    WHERE e.id = erasure AND NOT says_ids_alone(o.type)
    UNION ALL
    SELECT o.id, o.recorded_at, o.xid, o.position, o.source_event_id = 'erased ' || o.id
    FROM erased_intervals AS v
    JOIN events AS o ON o.handle_id = v.handle_id AND o.reference IS NULL AND o.client_id = v.client_id
    CROSS JOIN LATERAL (SELECT least(coalesce(o.occurred_at, o.received_at), o.received_at) AS at) AS said
    WHERE v.erasure_id = erasure AND NOT says_ids_alone(o.type) AND said.at >= v.valid_from AND said.at < v.valid_to
$$;

-- As in 0036, and the events that belong to no interaction. An event under a key that stays loses its handle too, since that one
-- leads to the address; but an opt-out or opt-in, which is the address's, keeps it with its basis, from which consents are made.
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
            payload = CASE WHEN r.consent AND v.payload ? 'basis' THEN jsonb_build_object('basis', v.payload -> 'basis') ELSE '{}' END,
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

-- An erasure reaches the archive: files of the months concerned are written anew, without what it empties.
ALTER TABLE erasures ADD COLUMN waits text;
ALTER TABLE erasures DROP CONSTRAINT erasures_state, ADD CONSTRAINT erasures_state CHECK (
    state IN ('requested', 'fenced', 'searched', 'asked', 'destroyed', 'purged', 'rewritten', 'completed')
);

COMMENT ON COLUMN erasures.waits IS 'Why it could not go on when it was last tried; NULL: nothing keeps it.';

-- The files that an erasure has been through.
CREATE TABLE erased_files (
    erasure_id uuid NOT NULL,
    month date NOT NULL,
    part integer NOT NULL,
    events integer NOT NULL,
    client_id text COLLATE "C" NOT NULL,
    CONSTRAINT erased_files_pkey PRIMARY KEY (erasure_id, month, part)
);

COMMENT ON COLUMN erased_files.events IS 'Events that were emptied in it; 0: the file stays as it is.';

SELECT separate_clients('erased_files', 'threadline_service, threadline_reader');

-- Files that were written anew, and whose former versions are still to be removed.
CREATE TABLE archive_removals (
    file text COLLATE "C" NOT NULL,
    CONSTRAINT archive_removals_pkey PRIMARY KEY (file)
);

-- Puts a file that was written anew in the place of the one with this digest; the events in it that were emptied are `emptied`. One
-- without any is only noted. Returns whether it was that file.
CREATE FUNCTION swap_archive_file(
    erasure uuid, of_month date, of_part integer, former bytea, new_file text, new_digest bytea, new_checksum bytea, emptied uuid[]
) RETURNS boolean
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = threadline, pg_temp
AS $$
    WITH old AS MATERIALIZED (
        SELECT f.month, f.part, f.file, e.client_id
        FROM erasures AS e
        JOIN archive_files AS f ON f.month = of_month AND f.part = of_part AND f.digest = former
        WHERE e.id = erasure AND e.state = 'purged'
        FOR UPDATE OF f
    ),
    swapped AS (
        UPDATE archive_files AS f SET file = new_file, digest = new_digest, checksum = new_checksum
        FROM old AS o
        WHERE f.month = o.month AND f.part = o.part AND cardinality(emptied) > 0
    ),
    listed AS (
        INSERT INTO archive_removals (file)
        SELECT o.file FROM old AS o WHERE cardinality(emptied) > 0 AND o.file <> new_file
        ON CONFLICT (file) DO NOTHING
    ),
    noted AS (
        INSERT INTO erased_files (erasure_id, client_id, month, part, events)
        SELECT erasure, o.client_id, o.month, o.part, cardinality(emptied) FROM old AS o
        ON CONFLICT (erasure_id, month, part) DO NOTHING
    ),
    marked AS (
        UPDATE event_ids AS n SET content = 0 WHERE n.id = ANY (emptied) AND EXISTS (SELECT FROM old)
    )
    SELECT EXISTS (SELECT FROM old)
$$;

-- What the providers are asked to erase, before the addresses and the ids of messages go here. Removed when the receipt is made, which
-- has the counts.
CREATE TABLE provider_erasures (
    due_at timestamptz NOT NULL DEFAULT now(),
    erasure_id uuid NOT NULL,
    tries integer NOT NULL DEFAULT 0,
    state text COLLATE "C" NOT NULL DEFAULT 'due',
    client_id text COLLATE "C" NOT NULL,
    account text COLLATE "C" NOT NULL,
    source text COLLATE "C" NOT NULL,
    target text COLLATE "C" NOT NULL,
    answer text COLLATE "C",
    CONSTRAINT provider_erasures_pkey PRIMARY KEY (erasure_id, source, target),
    CONSTRAINT provider_erasures_state CHECK (state IN ('due', 'done', 'refused'))
);

COMMENT ON COLUMN provider_erasures.target IS 'The provider''s id of a message, sealed; empty: the addresses of the customer.';
COMMENT ON COLUMN provider_erasures.answer IS 'The last answer: its code and reason, without its text.';

SELECT separate_clients('provider_erasures', 'threadline_service, threadline_reader');
GRANT SELECT, INSERT, UPDATE, DELETE ON provider_erasures TO threadline_service;
GRANT SELECT ON provider_erasures TO threadline_reader, threadline_tenant;

REVOKE ALL ON FUNCTION
    says_ids_alone(text), erased_alone(uuid), swap_archive_file(uuid, date, integer, bytea, text, bytea, bytea, uuid[])
FROM public;
GRANT EXECUTE ON FUNCTION
    says_ids_alone(text), erased_alone(uuid), swap_archive_file(uuid, date, integer, bytea, text, bytea, bytea, uuid[])
TO threadline_service;
GRANT SELECT ON erased_files TO threadline_service, threadline_reader, threadline_tenant;
GRANT SELECT, DELETE ON archive_removals TO threadline_service;
