-- Cancels a message that waits; marks one that is being sent, so that it is not retried. Notes in the audit who asked for it.
WITH cancelled AS (
    UPDATE messages AS m SET
        state = CASE WHEN m.state = 'sending' THEN m.state ELSE 'cancelled' END,
        cancelled = true, changed_at = now()
    FROM (SELECT id, state FROM messages WHERE id = message_reference(%(client_id)s, %(message_id)s) FOR UPDATE) AS before
    WHERE m.id = before.id AND before.state IN ('queued', 'held', 'retrying', 'unanswered', 'sending')
    RETURNING before.state AS was, m.client_id, m.message_id
),
noted AS (
    INSERT INTO audit (actor, client_id, action, subject, detail, key_id, address, request_id)
    SELECT
        %(by_actor)s, client_id, 'message.cancel', message_id, jsonb_build_object('was', was),
        %(by_key)s::uuid, %(address)s::text, %(request_id)s::text
    FROM cancelled
)
SELECT was FROM cancelled
