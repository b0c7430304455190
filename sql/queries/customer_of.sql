-- All handles of the customer who has a given handle.
SELECT h.id, h.customer_id, h.kind, h.value
FROM handles AS mine
JOIN handles AS h ON h.customer_id = mine.customer_id AND h.client_id = mine.client_id
WHERE mine.id = handle_id(%(client_id)s, %(kind)s || E'\x1f' || %(value)s)
ORDER BY h.kind, h.value
