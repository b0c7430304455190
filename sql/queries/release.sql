-- Lets a message go that is held, or whose attempt went unanswered (`resend`).
UPDATE messages AS m SET
    state = 'queued', due_at = now(), released = true, changed_at = now()
FROM (SELECT id, state FROM messages WHERE id = message_reference(%(client_id)s, %(message_id)s) FOR UPDATE) AS before
WHERE m.id = before.id AND (before.state = 'held' OR (before.state = 'unanswered' AND %(resend)s))
RETURNING before.state AS was, pg_notify('threadline_messages', '')
