-- The addresses that stay of others, or become the next holder's, for which opt-outs at an erasure's handles count (see `consents_of`), by
-- channel: these opt-outs go with the handles. One where the address opted in since does not count.
WITH opted_out AS MATERIALIZED (
    SELECT c.handle_id, c.client_id, c.channel, c.opted_out_at
    FROM erasures AS e
    JOIN consents AS c ON c.handle_id = ANY (e.handles) AND c.client_id = e.client_id
    WHERE e.id = %(id)s AND c.opted_out_at IS NOT NULL
),
beside AS (
    SELECT l.handle_id, o.channel, o.opted_out_at
    FROM opted_out AS o
    -- Each pair stands in both directions: the index has the erased one first.
    JOIN handle_links AS back ON back.handle_id = o.handle_id
    JOIN handle_links AS l ON l.handle_id = back.other_id AND l.other_id = o.handle_id
    WHERE l.refused_by IS NULL
    UNION ALL
    SELECT a.handle_id, o.channel, o.opted_out_at
    FROM opted_out AS o
    JOIN assignments AS own ON own.handle_id = o.handle_id AND own.valid_to = 'infinity'
    JOIN assignments AS a ON a.customer_id = own.customer_id AND a.client_id = o.client_id AND a.valid_to = 'infinity'
)
SELECT h.id, h.kind, h.salt, h.sealed, b.channel, max(b.opted_out_at) AS since
FROM beside AS b
JOIN handles AS h ON h.id = b.handle_id AND h.erased_at IS NULL
LEFT JOIN consents AS mine ON mine.handle_id = b.handle_id AND mine.channel = b.channel
WHERE mine.opted_in_at IS NULL OR b.opted_out_at >= mine.opted_in_at
GROUP BY h.id, b.channel
ORDER BY h.id, b.channel
