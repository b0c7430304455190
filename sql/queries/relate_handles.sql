-- Keeps the pairs of handles that a range of the log links. Returns the handles that got a new link (see `assign_customers`).
-- Addresses that many people have by their kind are never linked.
WITH stated AS MATERIALIZED (
    SELECT DISTINCT e.client_id, e.handle_id AS one, e.related_id AS other
    FROM (
\ir chunk.sql
        AND type = 'HandleLinked' AND handle_id <> related_id
    ) AS e
    JOIN handles AS h ON h.id = e.handle_id
    JOIN handles AS o ON o.id = e.related_id
    WHERE NOT ARRAY[h.kind, o.kind] && ARRAY['alphanumeric', 'short_code', 'other']
),
linked AS (
    INSERT INTO handle_links (handle_id, other_id, client_id)
    SELECT one, other, client_id FROM stated
    UNION
    SELECT other, one, client_id FROM stated
    ORDER BY 1, 2
    ON CONFLICT (handle_id, other_id) DO NOTHING
    RETURNING handle_id
)
SELECT array_agg(DISTINCT handle_id) AS changed FROM linked
