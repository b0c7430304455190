-- The legal hold of a customer, under any id that he had; no row without one. One that is over does not count.
SELECT d.reason, d.until, d.set_at, d.actor
FROM customer_holds AS d
WHERE d.client_id = %(client_id)s AND d.until > now() AND (
    d.customer_id =
\ir customer_id.sql
    OR coalesce(
        (
            SELECT own.customer_id FROM handles AS c JOIN assignments AS own ON own.handle_id = c.id
            WHERE c.customer_id = d.customer_id AND c.client_id = d.client_id
            LIMIT 1
        ), d.customer_id
    ) =
\ir customer_id.sql
)
ORDER BY d.until DESC
LIMIT 1
