-- The changes of a client's configuration, accounts, callback and messages, newest first. The index `audit_changes_of_client` has the
-- same condition.
SELECT position, at, actor, action, subject, detail
FROM audit
WHERE client_id = %(client_id)s
    AND right(action, 5) <> '.read' AND action <> ALL ('{timeline.stream,key.create,key.revoke}'::text[])
ORDER BY position DESC
LIMIT %(limit)s
