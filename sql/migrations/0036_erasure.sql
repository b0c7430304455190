-- Erasure of a customer. First the fence: his handles lose their digests, so that nobody finds them any more; then their salts and
-- values go, which makes all that was sealed under them unreadable; then what was projected from it is removed. The rows of `handles`
-- and of the log stay: they name random ids that nothing leads to. Opt-outs live on in `suppressions`, found by another digest.

-- Between the fence and the end of the salts the values are still there: dead letters are searched for them.
ALTER TABLE handles DROP CONSTRAINT handles_erased, ADD CONSTRAINT handles_erased CHECK (
    CASE WHEN erased_at IS NULL
        THEN num_nonnulls(digest, salt, sealed) = 3 AND octet_length(salt) = 32
        ELSE digest IS NULL AND num_nonnulls(salt, sealed) IN (0, 2)
    END
);

CREATE TABLE erasures (
    requested_at timestamptz NOT NULL DEFAULT now(),
    changed_at timestamptz NOT NULL DEFAULT now(),
    fenced_at timestamptz,
    destroyed_at timestamptz,
    completed_at timestamptz,
    fence_xid bigint,
    id uuid NOT NULL,
    customer_id uuid NOT NULL,
    repeats uuid,
    client_id text COLLATE "C" NOT NULL,
    state text COLLATE "C" NOT NULL DEFAULT 'requested',
    actor text COLLATE "C" NOT NULL,
    reason text NOT NULL,
    handles uuid[] NOT NULL DEFAULT '{}',
    kept uuid[] NOT NULL DEFAULT '{}',
    providers text[] COLLATE "C" NOT NULL DEFAULT '{}',
    suppressed integer NOT NULL DEFAULT 0,
    letters integer NOT NULL DEFAULT 0,
    before jsonb,
    receipt jsonb,
    CONSTRAINT erasures_pkey PRIMARY KEY (id),
    CONSTRAINT erasures_state CHECK (state IN ('requested', 'fenced', 'searched', 'destroyed', 'purged', 'completed'))
);

-- One at a time of a customer; and what is to be gone on with.
CREATE UNIQUE INDEX erasures_open ON erasures (client_id, customer_id) WHERE state <> 'completed' AND repeats IS NULL;
CREATE INDEX erasures_due ON erasures (requested_at) WHERE state <> 'completed';
CREATE INDEX erasures_customer ON erasures (client_id, customer_id, requested_at);

COMMENT ON COLUMN erasures.repeats IS 'The erasure of the ledger that this one repeats after a restore: its handles are named when it is requested.';
COMMENT ON COLUMN erasures.letters IS 'Dead letters that named an address, and were removed.';
COMMENT ON COLUMN erasures.kept IS 'Handles of the customer that another customer has had too: they are not erased.';
COMMENT ON COLUMN erasures.before IS 'Rows by store when the fence was set.';
COMMENT ON COLUMN erasures.fence_xid IS 'The transaction of the fence: no later one appended an event under these handles.';

-- What names the interactions that were removed. A later report on one of them is kept without its person (`queries/late.sql`).
CREATE TABLE erased_references (
    reference uuid NOT NULL,
    erasure_id uuid NOT NULL,
    client_id text COLLATE "C" NOT NULL,
    CONSTRAINT erased_references_pkey PRIMARY KEY (reference, client_id)
);

CREATE INDEX erased_references_erasure ON erased_references (erasure_id);

-- Opt-outs of addresses that are not known any more. Nothing here leads to the log.
CREATE TABLE suppressions (
    since timestamptz NOT NULL,
    client_id text COLLATE "C" NOT NULL,
    channel text COLLATE "C" NOT NULL,
    digest bytea NOT NULL,
    CONSTRAINT suppressions_pkey PRIMARY KEY (client_id, digest, channel)
);

COMMENT ON COLUMN suppressions.digest IS 'HMAC-SHA-256 of kind, E''\x1f'', value under a pepper of its own (`sql.suppressing`).';

CREATE TABLE customer_holds (
    set_at timestamptz NOT NULL DEFAULT now(),
    until timestamptz NOT NULL,
    customer_id uuid NOT NULL,
    client_id text COLLATE "C" NOT NULL,
    actor text COLLATE "C" NOT NULL,
    reason text NOT NULL,
    CONSTRAINT customer_holds_pkey PRIMARY KEY (client_id, customer_id)
);

-- The service may not change a handle but through these, which need an erasure that was requested and says which ones.

-- Sets the fence: the handles of a requested erasure are found by nobody any more.
CREATE FUNCTION fence_handles(erasure uuid) RETURNS bigint
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = threadline, pg_temp
AS $$
    WITH fenced AS (
        UPDATE handles AS h SET erased_at = now(), digest = NULL
        FROM erasures AS e
        WHERE e.id = erasure AND e.state = 'requested' AND h.id = ANY (e.handles) AND h.client_id = e.client_id
            AND h.erased_at IS NULL
        RETURNING h.id
    )
    SELECT count(*) FROM fenced
$$;

-- Destroys the keys of the handles of a fenced erasure, and their values.
CREATE FUNCTION destroy_handles(erasure uuid) RETURNS bigint
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = threadline, pg_temp
AS $$
    WITH destroyed AS (
        UPDATE handles AS h SET salt = NULL, sealed = NULL
        FROM erasures AS e
        WHERE e.id = erasure AND e.state <> 'requested' AND h.id = ANY (e.handles) AND h.client_id = e.client_id
            AND h.erased_at IS NOT NULL AND h.salt IS NOT NULL
        RETURNING h.id
    )
    SELECT count(*) FROM destroyed
$$;

-- Removes dead letters of the client of a fenced erasure.
CREATE FUNCTION erase_dead_letters(erasure uuid, ids uuid[]) RETURNS bigint
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = threadline, pg_temp
AS $$
    WITH removed AS (
        DELETE FROM dead_letters AS d
        USING erasures AS e
        WHERE e.id = erasure AND e.state = 'fenced' AND d.id = ANY (ids)
            AND d.client_id = e.client_id
        RETURNING d.id
    )
    UPDATE erasures SET letters = letters + (SELECT count(*) FROM removed) WHERE id = erasure
    RETURNING (SELECT count(*) FROM removed)
$$;

-- Empties events of the interactions that an erasure removed, at most so many: what is sealed in them cannot be opened any more, but
-- ids of providers may have a number in them (WhatsApp's have), and events without a handle are under nobody's key. The only change
-- that is ever made to a row of the log. Type, channel, times and the normalized error stay, and the id, by which a repeat is known.
CREATE FUNCTION empty_events(erasure uuid, most integer) RETURNS bigint
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = threadline, pg_temp
AS $$
    WITH emptied AS (
        UPDATE events AS v SET
            source_event_id = 'erased ' || v.id, provider_message_id = NULL, message_id = NULL, webhook_id = NULL,
            webhook_block = NULL, payload = '{}',
            error = CASE WHEN v.error IS NOT NULL THEN jsonb_build_object('reason', v.error -> 'reason') END
        WHERE v.id = ANY (ARRAY(
            SELECT o.id
            FROM erasures AS e
            JOIN erased_references AS r ON r.erasure_id = e.id
            JOIN events AS o ON o.reference = r.reference AND o.client_id = r.client_id
            WHERE e.id = erasure AND e.state = 'destroyed' AND o.source_event_id <> 'erased ' || o.id
            LIMIT most
        ))
        RETURNING v.id
    )
    SELECT count(*) FROM emptied
$$;

REVOKE ALL ON FUNCTION
    fence_handles(uuid), destroy_handles(uuid), erase_dead_letters(uuid, uuid[]), empty_events(uuid, integer)
FROM public;
GRANT EXECUTE ON FUNCTION
    fence_handles(uuid), destroy_handles(uuid), erase_dead_letters(uuid, uuid[]), empty_events(uuid, integer)
TO threadline_service;
GRANT SELECT, INSERT, UPDATE ON erasures TO threadline_service;
GRANT SELECT, INSERT ON erased_references TO threadline_service;
GRANT SELECT, INSERT, UPDATE ON suppressions TO threadline_service;
GRANT SELECT, INSERT, UPDATE, DELETE ON customer_holds TO threadline_service;
GRANT DELETE ON interaction_links, consents, profiles TO threadline_service;
GRANT SELECT ON erasures, erased_references, customer_holds TO threadline_reader;
