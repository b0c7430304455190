-- Part of statements: the kept answers that name messages to the customer of an erasure, and were not emptied yet.
SELECT k.client_id, k.key
FROM erasures AS e
JOIN idempotency_keys AS k ON k.client_id = e.client_id AND k.handles && e.handles
WHERE e.id = %(id)s AND k.answer IS NOT NULL
UNION
-- By an address that is another customer's too: those of his time.
SELECT k.client_id, k.key
FROM erased_intervals AS v
JOIN idempotency_keys AS k ON k.client_id = v.client_id AND k.handles && ARRAY[v.handle_id]
WHERE v.erasure_id = %(id)s AND k.answer IS NOT NULL AND k.created_at >= v.valid_from AND k.created_at < v.valid_to
