-- Which of some customers are to be erased, under the id of then or of now: their erasure is under way, or waits for a second person.
SELECT c.id
FROM unnest(%(customers)s::uuid[]) AS c (id)
WHERE EXISTS (
    SELECT FROM erasures AS e
    WHERE e.client_id = %(client_id)s AND e.state <> 'completed'
        AND c.id IN (e.customer_id, present_customer(e.client_id, e.customer_id))
) OR EXISTS (
    SELECT FROM erasure_requests AS r
    WHERE r.client_id = %(client_id)s AND r.decision IS NULL AND r.expires_at > now()
        AND c.id IN (r.customer_id, present_customer(r.client_id, r.customer_id))
)
