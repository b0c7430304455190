-- Makes unanswered what may have been sent after the time to which the database was restored: messages that are due, being sent
-- or watched. One that is due later has not been sent.
WITH doubtful AS (
    UPDATE messages AS m SET
        state = 'unanswered', doubted = false, checks = 0, changed_at = now(),
        cause = 'the database was restored: it may have been sent'
    FROM (
        SELECT id, state FROM messages
        WHERE waiting AND (due_at <= now() OR state IN ('sending', 'watched'))
        ORDER BY id
        FOR UPDATE
    ) AS before
    WHERE m.id = before.id
    RETURNING m.client_id, m.message_id, before.state AS was
),
noted AS (
    INSERT INTO audit (actor, client_id, action, subject, detail, key_id, address, request_id)
    SELECT
        %(actor)s, client_id, 'message.hold', message_id, jsonb_build_object('was', was),
        %(by_key)s::uuid, %(address)s::text, %(request_id)s::text
    FROM doubtful
)
SELECT client_id, message_id FROM doubtful ORDER BY client_id, message_id
