-- Part of the statements that write handles: finds the handles of a batch by their digests, and makes those that are new
-- (`whose`: their ids, in the order of the list). Two writers who meet a new handle at once get one id: the second
-- waits for the first, and its update, which changes nothing, returns that row. Sorted, so that the two cannot deadlock.
named AS MATERIALIZED (
    SELECT
        number, h ->> 0 AS client_id, h ->> 1 AS kind, h ->> 2 AS value, h ->> 3 AS platform, own.digest,
        -- A scalar subquery is looked up by index, whatever the planner's estimate of the table's size.
        (SELECT k.id FROM handles AS k WHERE k.client_id = h ->> 0 AND k.digest = own.digest) AS id
    FROM jsonb_array_elements(%(handles)s) WITH ORDINALITY AS given (h, number)
    CROSS JOIN LATERAL (SELECT decode(h ->> 4, 'hex') AS digest) AS own
),
made AS (
    INSERT INTO handles (client_id, kind, value, platform, digest)
    SELECT client_id, kind, value, platform, digest FROM named
    WHERE id IS NULL
    ORDER BY client_id, digest
    ON CONFLICT (client_id, digest) DO UPDATE SET kind = excluded.kind
    RETURNING id, customer_id, client_id, digest
),
assigned AS (
    INSERT INTO assignments (id, handle_id, own_id, customer_id, client_id)
    SELECT id, id, customer_id, customer_id, client_id FROM made
    ORDER BY id
    ON CONFLICT (id) DO NOTHING
),
whose AS MATERIALIZED (
    SELECT array_agg(coalesce(n.id, m.id) ORDER BY n.number) AS ids
    FROM named AS n
    LEFT JOIN made AS m ON n.id IS NULL AND m.client_id = n.client_id AND m.digest = n.digest
)
