-- Links of a customer's handles that were stated and do not apply: of handles that several people share, or of too many
-- handles for one person. `value` is the other handle's.
SELECT mine.kind AS of_kind, mine.value AS of_value, o.kind, o.value
FROM handles AS mine
JOIN handle_links AS l ON l.handle_id = mine.id
JOIN handles AS o ON o.id = l.other_id
WHERE mine.customer_id =
\ir customer_id.sql
    AND mine.client_id = %(client_id)s AND o.customer_id <> mine.customer_id
ORDER BY mine.kind, mine.value, o.kind, o.value
LIMIT %(limit)s
