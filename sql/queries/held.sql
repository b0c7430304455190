-- Which of some customers are under a legal hold, under any id that they had, or have something that is, and until when.
SELECT c.id, max(d.until) AS until
FROM unnest(%(customers)s::uuid[]) AS c (id)
JOIN customer_holds AS d ON d.client_id = %(client_id)s AND d.until > now() AND (
\ir held_customer.sql
    IN (c.id, present_customer(d.client_id, c.id))
    OR EXISTS (
        SELECT FROM assignments AS a
        WHERE a.client_id = d.client_id AND a.id = ANY (d.assignments)
            AND a.customer_id IN (c.id, present_customer(d.client_id, c.id))
    )
)
GROUP BY c.id
