-- The latest erasures, without their receipts.
SELECT id, client_id, customer_id, state, requested_at, completed_at, waits, cardinality(handles) AS handles
FROM erasures
WHERE %(client_id)s::text IS NULL OR client_id = %(client_id)s
ORDER BY requested_at DESC, id
LIMIT %(limit)s
