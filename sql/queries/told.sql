-- Part of the statements that take interactions apart: the events of some interactions (`ids`) of the client of `one`, also those of
-- the archive (`archived`), and those that its erasure has taken out already, each with its interaction's owner and beginning, and the
-- reference by which it is or was known.
known AS MATERIALIZED (
    SELECT i.id, i.client_id, i.handle_id AS owner, i."timestamp" AS began, n.reference
    FROM one
    JOIN interactions AS i ON i.client_id = one.client_id AND i.id = ANY (%(ids)s::uuid[])
    CROSS JOIN LATERAL (
        SELECT i.id AS reference
        UNION
        SELECT l.reference FROM interaction_links AS l WHERE l.interaction_id = i.id AND l.client_id = i.client_id
    ) AS n
),
told AS (
    SELECT k.id AS interaction, k.owner, k.began, k.reference AS known_as, e.* FROM known AS k
    JOIN events AS e ON e.reference = k.reference AND e.client_id = k.client_id
    UNION ALL
    SELECT k.id, k.owner, k.began, k.reference, e.* FROM known AS k
    JOIN jsonb_populate_recordset(NULL::events, %(archived)s) AS e ON e.reference = k.reference AND e.client_id = k.client_id
    UNION ALL
    SELECT i.id, i.handle_id, i."timestamp", p.reference, e.*
    FROM one
    JOIN erased_parts AS p ON p.erasure_id = one.erasure_id AND p.interaction_id = ANY (%(ids)s::uuid[])
    JOIN interactions AS i ON i.id = p.interaction_id AND i.client_id = one.client_id
    JOIN event_ids AS n ON n.id = p.event_id
    JOIN events AS e ON e.recorded_at = n.recorded_at AND e.xid = n.xid AND e.position = n.position AND e.reference <> p.reference
)
