-- The addresses of an erasure that are still its customer's though their keys stay: what comes after its fence is another person's.
SELECT v.handle_id, e.client_id, a.customer_id, v.valid_to
FROM erasures AS e
JOIN erased_intervals AS v ON v.erasure_id = e.id
JOIN assignments AS a ON a.handle_id = v.handle_id AND a.client_id = e.client_id AND a.customer_id = present_customer(e.client_id, e.customer_id)
    AND a.valid_to = 'infinity' AND a.valid_from < v.valid_to
WHERE e.id = %(id)s AND v.valid_to = (SELECT max(o.valid_to) FROM erased_intervals AS o WHERE o.erasure_id = e.id AND o.handle_id = v.handle_id)
