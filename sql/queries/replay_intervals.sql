-- Of some intervals of a ledger, those in which there is something to be erased.
SELECT g.number::integer - 1 AS place
FROM (
    SELECT handle_id, coalesce(since, '-infinity') AS valid_from, valid_to, number
    FROM unnest(%(emptied)s::uuid[], %(froms)s::timestamptz[], %(tos)s::timestamptz[]) WITH ORDINALITY AS each (handle_id, since, valid_to, number)
) AS g
WHERE EXISTS (
        SELECT FROM interactions AS i
        WHERE i.handle_id = g.handle_id AND i.client_id = %(client_id)s AND i."timestamp" >= g.valid_from AND i."timestamp" < g.valid_to
    )
    -- Another one's, in which he has a part.
    OR EXISTS (
        SELECT FROM interactions AS i
        WHERE i.named @> ARRAY[g.handle_id] AND i.client_id = %(client_id)s AND i."timestamp" >= g.valid_from AND i."timestamp" < g.valid_to
    )
    OR EXISTS (
        SELECT FROM events AS o
        WHERE o.handle_id = g.handle_id AND o.reference IS NULL AND o.client_id = %(client_id)s AND NOT says_ids_alone(o.type)
            AND o.source_event_id <> 'erased ' || o.id
            AND least(coalesce(o.occurred_at, o.received_at), o.received_at) >= g.valid_from
            AND least(coalesce(o.occurred_at, o.received_at), o.received_at) < g.valid_to
    )
ORDER BY place
