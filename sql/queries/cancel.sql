-- Cancels a message that waits; marks one that is being sent, so that it is not retried.
UPDATE messages AS m SET
    state = CASE WHEN m.state = 'sending' THEN m.state ELSE 'cancelled' END,
    cancelled = true, changed_at = now()
FROM (SELECT id, state FROM messages WHERE id = message_reference(%(client_id)s, %(message_id)s) FOR UPDATE) AS before
WHERE m.id = before.id AND before.state IN ('queued', 'held', 'retrying', 'unanswered', 'sending')
RETURNING before.state AS was
