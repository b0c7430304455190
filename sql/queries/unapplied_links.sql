-- Links of a customer's handles that were stated and do not apply: they contradict a split (`refused_by`), or are of handles that
-- several people share, or of too many handles for one person. `value` is the other handle's.
SELECT
    h.kind AS of_kind, h.sealed AS of_value, o.kind, o.sealed AS value, theirs.customer_id AS other_customer_id, l.since,
    l.evidence, l.refused_by
FROM assignments AS mine
JOIN handles AS h ON h.id = mine.handle_id
JOIN handle_links AS l ON l.handle_id = mine.handle_id AND l.since >= mine.valid_from AND l.since < mine.valid_to
JOIN assignments AS theirs ON theirs.handle_id = l.other_id AND l.since >= theirs.valid_from AND l.since < theirs.valid_to
JOIN handles AS o ON o.id = l.other_id
WHERE mine.customer_id =
\ir customer_id.sql
    AND mine.client_id = %(client_id)s AND theirs.customer_id <> mine.customer_id
    AND h.erased_at IS NULL AND o.erased_at IS NULL
ORDER BY h.kind, o.kind, h.id, o.id
LIMIT %(limit)s
