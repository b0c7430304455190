-- Cancels those of these messages of a client that are still in the state. One that another transaction is changing is left out.
UPDATE messages AS m SET state = 'cancelled', cancelled = true, changed_at = now()
FROM (
    SELECT id FROM messages
    WHERE id = ANY (%(ids)s::uuid[]) AND client_id = %(client_id)s AND state = %(state)s
        AND state IN ('queued', 'held', 'retrying', 'unanswered')
    FOR UPDATE SKIP LOCKED
) AS before
WHERE m.id = before.id
RETURNING m.message_id
