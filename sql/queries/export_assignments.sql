-- Which handles are a customer's, and from when to when, by all that is known of it.
SELECT to_jsonb(a) - 'client_id' AS assignment
FROM assignments AS a
WHERE a.client_id = %(client_id)s AND a.customer_id =
\ir customer_id.sql
ORDER BY a.handle_id, to_jsonb(a)::text
