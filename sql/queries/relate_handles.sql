-- Keeps the pairs of handles that a range of the log links. Returns the handles that got a new link (see `assign_customers`).
-- Addresses that many people have by their kind are never linked.
WITH stated AS MATERIALIZED (
    SELECT DISTINCT e.client_id, h.id, h.kind, h.value, o.id AS other_id
    FROM (
\ir chunk.sql
        AND type = 'HandleLinked' AND jsonb_array_length(payload -> 'handles') = 2
    ) AS e
    CROSS JOIN (VALUES (0, 1), (1, 0)) AS way (one, other)
    CROSS JOIN LATERAL (
        SELECT
            e.payload -> 'handles' -> way.one ->> 'kind' AS kind, e.payload -> 'handles' -> way.one ->> 'value' AS value,
            e.payload -> 'handles' -> way.other ->> 'kind' AS other_kind,
            e.payload -> 'handles' -> way.other ->> 'value' AS other_value
    ) AS given
    CROSS JOIN LATERAL (
        SELECT handle_id(e.client_id, given.kind || E'\x1f' || given.value) AS id, given.kind, given.value
    ) AS h
    CROSS JOIN LATERAL (
        SELECT handle_id(e.client_id, given.other_kind || E'\x1f' || given.other_value) AS id
    ) AS o
    WHERE NOT ARRAY[given.kind, given.other_kind] && ARRAY['alphanumeric', 'short_code', 'other'] AND h.id <> o.id
),
named AS (
    INSERT INTO handles (id, customer_id, client_id, kind, value)
    SELECT DISTINCT ON (id) id, id, client_id, kind, value FROM stated
    ORDER BY id
    ON CONFLICT (id) DO NOTHING
),
linked AS (
    INSERT INTO handle_links (handle_id, other_id, client_id)
    SELECT id, other_id, client_id FROM stated
    ORDER BY id, other_id
    ON CONFLICT (handle_id, other_id) DO NOTHING
    RETURNING handle_id
)
SELECT array_agg(DISTINCT handle_id) AS changed FROM linked
