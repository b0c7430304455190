-- The newest decisions on a customer's assignments.
SELECT t.event_id, t.kind, t.at, t.undone_by, t.one_id, t.other_id, e.payload -> 'evidence' AS evidence, e.payload ->> 'cause' AS cause
FROM customer_changes AS t
JOIN events AS e ON e.id = t.event_id
WHERE t.client_id = %(client_id)s AND (t.ones && %(ids)s::uuid[] OR t.others && %(ids)s::uuid[])
ORDER BY t.position DESC
LIMIT %(limit)s
