-- The audit log of a client, newest first.
SELECT position, at, actor, action, subject, detail
FROM audit
WHERE client_id = %(client_id)s
ORDER BY position DESC
LIMIT %(limit)s
