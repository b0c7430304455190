-- Which of some customers are to be erased: their erasure is under way, or waits for a second person.
SELECT c.id
FROM unnest(%(customers)s::uuid[]) AS c (id)
WHERE EXISTS (
    SELECT FROM erasures AS e WHERE e.client_id = %(client_id)s AND e.customer_id = c.id AND e.state <> 'completed'
) OR EXISTS (
    SELECT FROM erasure_requests AS r
    WHERE r.client_id = %(client_id)s AND r.customer_id = c.id AND r.decision IS NULL AND r.expires_at > now()
)
