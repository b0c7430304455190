-- The reasons that people give for decisions on customers may name somebody: they are sealed, and an erasure removes those of
-- decisions that its customer took part in.

DO $$
BEGIN
    IF EXISTS (SELECT FROM events WHERE payload ? 'cause') THEN
        RAISE EXCEPTION 'this database has decisions of an unreleased version, whose reasons stood in clear: they cannot be carried over'
            USING HINT = 'Begin with an empty database. For threadline up: move the data folder (.threadline) away and start again.';
    END IF;
END
$$;

COMMENT ON COLUMN customer_changes.cause IS 'Why, in words; sealed, and gone once a customer who took part was erased.';

CREATE FUNCTION erase_causes(erasure uuid) RETURNS bigint
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = threadline, pg_temp
AS $$
    WITH decided AS MATERIALIZED (
        SELECT t.event_id
        FROM erasures AS e
        JOIN customer_changes AS t ON t.client_id = e.client_id AND t.cause IS NOT NULL
        CROSS JOIN LATERAL (
            SELECT array_agg(a.id) AS ids
            FROM assignments AS a
            WHERE a.handle_id = ANY (e.handles || e.kept) AND (a.handle_id = ANY (e.handles) OR a.customer_id = e.customer_id)
        ) AS his
        WHERE e.id = erasure AND (t.ones && his.ids OR t.others && his.ids)
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

REVOKE ALL ON FUNCTION erase_causes(uuid) FROM public;
GRANT EXECUTE ON FUNCTION erase_causes(uuid) TO threadline_service;
