-- A customer's handles that were not erased, those it had in the past too, by its id or by the id of one that was merged into it.
SELECT DISTINCT ON (h.id) h.id, a.customer_id, h.kind, h.sealed AS value
FROM assignments AS a
JOIN handles AS h ON h.id = a.handle_id
WHERE a.customer_id =
\ir customer_id.sql
    AND a.client_id = %(client_id)s AND h.erased_at IS NULL
    AND NOT EXISTS (
        SELECT FROM erased_intervals AS gone
        WHERE gone.handle_id = h.id AND gone.valid_from <= a.valid_from AND a.valid_to <= gone.valid_to
    )
ORDER BY h.id
