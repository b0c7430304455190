-- The links of a client's handles that contradict a split, each once, newest first: for a person to decide.
SELECT
    l.since, l.refused_by, h.kind AS of_kind, h.sealed AS of_value, a.customer_id, o.kind, o.sealed AS value,
    b.customer_id AS other_customer_id
FROM handle_links AS l
JOIN handles AS h ON h.id = l.handle_id
JOIN handles AS o ON o.id = l.other_id
JOIN assignments AS a ON a.handle_id = l.handle_id AND l.since >= a.valid_from AND l.since < a.valid_to
JOIN assignments AS b ON b.handle_id = l.other_id AND l.since >= b.valid_from AND l.since < b.valid_to
WHERE l.client_id = %(client_id)s AND l.refused_by IS NOT NULL AND l.handle_id < l.other_id AND h.erased_at IS NULL
    AND o.erased_at IS NULL
ORDER BY l.since DESC, l.handle_id, l.other_id
LIMIT %(limit)s
