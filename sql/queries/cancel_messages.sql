-- Cancels those of these messages of a client that are still in the state, and notes in the audit who asked for it. One that another
-- transaction is changing is left out.
WITH cancelled AS (
    UPDATE messages AS m SET state = 'cancelled', cancelled = true, changed_at = now()
    FROM (
        SELECT id FROM messages
        WHERE id = ANY (%(ids)s::uuid[]) AND client_id = %(client_id)s AND state = %(state)s
            AND state IN ('queued', 'held', 'retrying', 'unanswered')
        FOR UPDATE SKIP LOCKED
    ) AS before
    WHERE m.id = before.id
    RETURNING m.message_id, m.client_id
),
noted AS (
    INSERT INTO audit (actor, client_id, action, subject, detail, key_id, address, request_id)
    SELECT
        %(by_actor)s, client_id, 'message.cancel', message_id, jsonb_build_object('was', %(state)s::text),
        %(by_key)s::uuid, %(address)s::text, %(request_id)s::text
    FROM cancelled
)
SELECT message_id FROM cancelled
