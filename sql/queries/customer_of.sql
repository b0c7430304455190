-- All handles of the customer who has a given handle.
SELECT h.id, a.customer_id, h.kind, h.sealed AS value
FROM handles AS asked
JOIN assignments AS mine ON mine.handle_id = asked.id
JOIN assignments AS a ON a.customer_id = mine.customer_id AND a.client_id = mine.client_id
JOIN handles AS h ON h.id = a.handle_id
WHERE asked.client_id = %(client_id)s AND asked.digest = %(digest)s AND h.erased_at IS NULL
