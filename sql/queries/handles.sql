-- A customer's handles.
SELECT id, customer_id, kind, value
FROM handles
WHERE customer_id = %(customer_id)s AND client_id = %(client_id)s
ORDER BY kind, value
