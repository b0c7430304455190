-- The legal hold of a customer, under any id that he had, or of something that he has; no row without one. One that is over does not count.
SELECT d.reason, d.until, d.set_at, d.actor
FROM customer_holds AS d
WHERE d.client_id = %(client_id)s AND d.until > now() AND (
\ir held_customer.sql
    =
\ir customer_id.sql
    OR EXISTS (
        SELECT FROM assignments AS a
        WHERE a.client_id = %(client_id)s AND a.id = ANY (d.assignments) AND a.customer_id =
\ir customer_id.sql
    )
)
ORDER BY d.until DESC
LIMIT 1
