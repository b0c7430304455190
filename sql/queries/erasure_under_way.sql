-- Part of the statements that request erasures: those under way of all that `his` has.
SELECT e.id
FROM his AS h
JOIN erasures AS e ON e.client_id = %(client_id)s AND e.customer_id = h.id AND e.state <> 'completed' AND e.repeats IS NULL
    AND (e.asked @> h.assignments) IS NOT FALSE
