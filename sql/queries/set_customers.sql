-- Sets the customers that were decided, and which links a split refuses (`refused_one`, `refused_other`: assignments). Returns how
-- many assignments moved.
WITH given AS MATERIALIZED (
    SELECT id, customer_id, by_event
    FROM unnest(%(ids)s::uuid[], %(customers)s::uuid[], %(events)s::uuid[]) AS each (id, customer_id, by_event)
),
moved AS (
    UPDATE assignments AS a SET customer_id = g.customer_id, by_event = g.by_event
    FROM given AS g
    WHERE a.id = g.id AND (a.customer_id <> g.customer_id OR a.by_event IS DISTINCT FROM g.by_event)
    RETURNING a.id
),
refused AS MATERIALIZED (
    SELECT a.handle_id, o.handle_id AS other_id, each.event
    FROM unnest(%(refused_one)s::uuid[], %(refused_other)s::uuid[], %(refused_by)s::uuid[]) AS each (one, other, event)
    JOIN assignments AS a ON a.id = each.one
    JOIN assignments AS o ON o.id = each.other
),
flagged AS (
    UPDATE handle_links AS l SET refused_by = now_refused.event
    FROM (
        SELECT own.handle_id, own.other_id, r.event
        FROM (
            SELECT r.handle_id, r.other_id FROM refused AS r
            UNION
            SELECT r.other_id, r.handle_id FROM refused AS r
            UNION
            -- Those that were refused until now; each pair is there in both directions.
            SELECT unnest(ARRAY[x.handle_id, x.other_id]), unnest(ARRAY[x.other_id, x.handle_id])
            FROM given AS g
            JOIN assignments AS a ON a.id = g.id
            JOIN handle_links AS x ON x.handle_id = a.handle_id AND x.client_id = a.client_id
            WHERE x.refused_by IS NOT NULL
        ) AS own
        LEFT JOIN refused AS r ON (r.handle_id, r.other_id) IN ((own.handle_id, own.other_id), (own.other_id, own.handle_id))
    ) AS now_refused
    WHERE (l.handle_id, l.other_id) = (now_refused.handle_id, now_refused.other_id)
        AND l.refused_by IS DISTINCT FROM now_refused.event
)
SELECT count(*) AS moved FROM moved
