-- The batches of the audit after one, in order. `expected`: the positions of its entries, in order, at most one more than `entries`;
-- `waiting`: whether its holes may still be filled.
SELECT
    h.batch, h.previous, h.root, h.head, h.entries, h.total, h.first_position, h.last_position, h.sealed_at, h.after, h.upto,
    h.leaves, h.forgotten_at, h.sealed_at > now() - interval '1 day' AS waiting,
    ARRAY(
        SELECT p.position
        FROM unnest(int8multirange(int8range(h.after, h.upto, '(]')) - h.holes + h.late) AS span
        CROSS JOIN LATERAL generate_series(lower(span), least(upper(span) - 1, lower(span) + h.entries)) AS p (position)
        WHERE h.forgotten_at IS NULL
        LIMIT h.entries + 1
    ) AS expected
FROM audit_heads AS h
WHERE h.batch > %(after)s
ORDER BY h.batch
LIMIT %(limit)s
