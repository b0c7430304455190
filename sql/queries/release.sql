-- Releases a message that is held, or with `resend` one that is unanswered, and records who asked for it.
WITH released AS (
    UPDATE messages AS m SET
        state = 'queued', due_at = now(), released = true, doubted = false, checks = 0, changed_at = now()
    FROM (SELECT id, state FROM messages WHERE id = message_reference(%(client_id)s, %(message_id)s) FOR UPDATE) AS before
    WHERE m.id = before.id AND (before.state = 'held' OR (before.state = 'unanswered' AND %(resend)s))
    RETURNING before.state AS was, m.client_id, m.message_id
),
noted AS (
    INSERT INTO audit (actor, client_id, action, subject, detail, key_id, address, request_id)
    SELECT
        %(actor)s, client_id, 'message.release', message_id, jsonb_build_object('was', was),
        %(by_key)s::uuid, %(address)s::text, %(request_id)s::text
    FROM released
)
SELECT was, pg_notify('threadline_messages', '') FROM released
