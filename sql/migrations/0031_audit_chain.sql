-- The audit, so that it cannot be changed unnoticed: who also has the API key, the address and the request; entries are sealed in
-- batches, each with the root of a Merkle tree over its entries and a hash that chains it to the batch before.

ALTER TABLE audit
    ADD COLUMN key_id uuid,
    ADD COLUMN address text COLLATE "C",
    ADD COLUMN request_id text COLLATE "C",
    ADD COLUMN why text;

COMMENT ON COLUMN audit.why IS 'The reason that was given, where one is asked for.';

-- Of all entries most are reads.
CREATE INDEX audit_changes_of_client ON audit (client_id, position)
WHERE right(action, 5) <> '.read' AND action <> ALL ('{timeline.stream,key.create,key.revoke}'::text[]);

-- `position` and `at` are the database's: the service cannot state them.
REVOKE INSERT ON audit FROM threadline_service;
GRANT INSERT (actor, client_id, action, subject, detail, key_id, address, request_id, why) ON audit TO threadline_service;

-- A batch has the entries after position `after` up to `upto`, without `holes` (positions without an entry when it was sealed), and
-- those of `late`: holes of batches before it, whose transactions ended later.
CREATE TABLE audit_heads (
    batch bigint NOT NULL,
    previous bytea NOT NULL,
    root bytea NOT NULL,
    head bytea NOT NULL,
    entries bigint NOT NULL,
    total bigint NOT NULL,
    first_position bigint NOT NULL,
    last_position bigint NOT NULL,
    sealed_at timestamptz NOT NULL,
    after bigint NOT NULL,
    upto bigint NOT NULL,
    holes int8multirange NOT NULL,
    late int8multirange NOT NULL,
    leaves bytea,
    forgotten_at timestamptz,
    CONSTRAINT audit_heads_pkey PRIMARY KEY (batch),
    CONSTRAINT audit_heads_positive CHECK (batch > 0 AND entries > 0 AND total >= entries AND upto >= after)
);

CREATE INDEX audit_heads_sealed ON audit_heads (sealed_at);

COMMENT ON COLUMN audit_heads.total IS 'Entries of this batch and of all before it.';
COMMENT ON COLUMN audit_heads.leaves IS 'The hashes of the entries, 32 bytes each, in order of their positions; NULL once forgotten.';
COMMENT ON COLUMN audit_heads.forgotten_at IS 'When the entries were removed, as old enough.';

-- When each sink last took an anchor, and of which batch.
CREATE TABLE audit_anchors (
    sink text COLLATE "C" NOT NULL,
    at timestamptz NOT NULL DEFAULT now(),
    batch bigint NOT NULL,
    head bytea NOT NULL,
    CONSTRAINT audit_anchors_pkey PRIMARY KEY (sink, at)
);

GRANT SELECT, INSERT (
    batch, previous, root, head, entries, total, first_position, last_position, sealed_at, after, upto, holes, late, leaves
) ON audit_heads TO threadline_service;
GRANT SELECT, INSERT (sink, batch, head) ON audit_anchors TO threadline_service;
GRANT SELECT ON audit_heads, audit_anchors TO threadline_reader;

-- Removes the entries of whole batches that were sealed more than `days` ago, at least 30, the oldest first and at most `most`
-- batches; their heads stay. Writes an entry that says so. The service may not delete entries; it may call this. Returns how many
-- batches and entries were removed.
CREATE FUNCTION forget_audit(days integer, most integer) RETURNS TABLE (batches bigint, entries bigint)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = threadline, pg_temp
AS $$
DECLARE
    oldest constant timestamptz := now() - make_interval(days => greatest(days, 30));
    old bigint[];
    removed bigint;
BEGIN
    PERFORM pg_advisory_xact_lock(29796, 31);
    SELECT array_agg(o.batch) INTO old FROM (
        SELECT h.batch FROM audit_heads AS h
        WHERE h.forgotten_at IS NULL AND h.sealed_at < oldest
            AND h.batch < (
                SELECT coalesce(min(y.batch), 9223372036854775807) FROM audit_heads AS y WHERE y.sealed_at >= oldest
            )
        ORDER BY h.batch LIMIT most
    ) AS o;
    IF old IS NULL THEN
        RETURN QUERY SELECT 0::bigint, 0::bigint;
        RETURN;
    END IF;
    WITH spans AS (
        SELECT unnest(int8multirange(int8range(h.after, h.upto, '(]')) - h.holes + h.late) AS span
        FROM audit_heads AS h WHERE h.batch = ANY (old)
    )
    DELETE FROM audit AS a USING spans AS s
    -- Also by the entry's own time, which the service cannot state.
    WHERE a.position >= lower(s.span) AND a.position < upper(s.span) AND a.at < oldest;
    GET DIAGNOSTICS removed = ROW_COUNT;
    UPDATE audit_heads AS h SET forgotten_at = now(), leaves = NULL WHERE h.batch = ANY (old);
    INSERT INTO audit (actor, client_id, action, subject, detail)
    VALUES (
        'retention', '', 'entries.forget', '',
        jsonb_build_object('firstBatch', old[1], 'lastBatch', old[cardinality(old)], 'entries', removed)
    );
    RETURN QUERY SELECT cardinality(old)::bigint, removed;
END
$$;

REVOKE ALL ON FUNCTION forget_audit(integer, integer) FROM public;
GRANT EXECUTE ON FUNCTION forget_audit(integer, integer) TO threadline_service;
