-- A customer's handles, by its id or by the id of one that was joined to it.
SELECT id, customer_id, kind, value
FROM handles
WHERE customer_id =
\ir customer_id.sql
    AND client_id = %(client_id)s
ORDER BY kind, value
