-- Links of a customer's handles that were stated and do not apply: of handles that several people share, or of too many
-- handles for one person. `value` is the other handle's.
SELECT h.kind AS of_kind, h.sealed AS of_value, o.kind, o.sealed AS value
FROM assignments AS mine
JOIN handles AS h ON h.id = mine.handle_id
JOIN handle_links AS l ON l.handle_id = mine.handle_id
JOIN assignments AS theirs ON theirs.handle_id = l.other_id
JOIN handles AS o ON o.id = l.other_id
WHERE mine.customer_id =
\ir customer_id.sql
    AND mine.client_id = %(client_id)s AND theirs.customer_id <> mine.customer_id
    AND h.erased_at IS NULL AND o.erased_at IS NULL
ORDER BY h.kind, o.kind, h.id, o.id
LIMIT %(limit)s
