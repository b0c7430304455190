-- Releases those of these messages of a client that are still in the state, `held` or `unanswered`, and records who asked for it. One
-- that another transaction is changing is left out.
WITH released AS (
    UPDATE messages AS m SET
        state = 'queued', due_at = now(), released = true, doubted = false, checks = 0, changed_at = now()
    FROM (
        SELECT id, state FROM messages
        WHERE id = ANY (%(ids)s::uuid[]) AND client_id = %(client_id)s AND state = %(state)s
            AND state IN ('held', 'unanswered')
        FOR UPDATE SKIP LOCKED
    ) AS before
    WHERE m.id = before.id
    RETURNING before.state AS was, m.client_id, m.message_id
),
noted AS (
    INSERT INTO audit (actor, client_id, action, subject, detail, key_id, address, request_id)
    SELECT
        %(actor)s, client_id, 'message.release', message_id, jsonb_build_object('was', was),
        %(by_key)s::uuid, %(address)s::text, %(request_id)s::text
    FROM released
)
SELECT count(*) AS released, pg_notify('threadline_messages', '') FROM released
