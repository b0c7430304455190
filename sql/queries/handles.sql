-- A customer's handles that were not erased, by its id or by the id of one that was joined to it.
SELECT h.id, a.customer_id, h.kind, h.sealed AS value
FROM assignments AS a
JOIN handles AS h ON h.id = a.handle_id
WHERE a.customer_id =
\ir customer_id.sql
    AND a.client_id = %(client_id)s AND h.erased_at IS NULL
