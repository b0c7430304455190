-- Part of the statements about the links of a customer's handles (`h`, with the assignments `mine`) to others (`o`, `theirs`), each
-- as of the time at which the link was stated.
FROM assignments AS mine
JOIN handles AS h ON h.id = mine.handle_id
JOIN handle_links AS l ON l.handle_id = mine.handle_id AND l.since >= mine.valid_from AND l.since < mine.valid_to
JOIN assignments AS theirs ON theirs.handle_id = l.other_id AND l.since >= theirs.valid_from AND l.since < theirs.valid_to
JOIN handles AS o ON o.id = l.other_id
WHERE mine.customer_id =
\ir customer_id.sql
    AND mine.client_id = %(client_id)s AND h.erased_at IS NULL AND o.erased_at IS NULL
