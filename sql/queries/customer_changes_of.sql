-- The newest decisions on a customer's assignments.
SELECT t.event_id, t.kind, t.at, t.undone_by, t.one_id, t.other_id, t.evidence, t.cause AS decided_cause
FROM customer_changes AS t
WHERE t.client_id = %(client_id)s AND (t.ones && %(ids)s::uuid[] OR t.others && %(ids)s::uuid[])
ORDER BY t.position DESC
LIMIT %(limit)s
