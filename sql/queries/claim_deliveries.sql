-- Takes deliveries that are due to a client, of each message the first that waits, and gives the events that they tell.
WITH due AS MATERIALIZED (
    SELECT d.event_id
    FROM deliveries AS d
    WHERE d.client_id = %(client_id)s AND d.state = 'waiting' AND d.due_at <= now()
        AND NOT EXISTS (
            SELECT FROM deliveries AS earlier
            WHERE earlier.client_id = d.client_id AND earlier.message_id = d.message_id AND earlier.state = 'waiting'
                AND (earlier.xid, earlier.position) < (d.xid, d.position)
        )
    ORDER BY d.due_at, d.xid, d.position
    LIMIT %(limit)s
    FOR UPDATE OF d SKIP LOCKED
),
taken AS (
    UPDATE deliveries AS d SET due_at = now() + %(lease)s, attempts = d.attempts + 1, attempted_at = now()
    FROM due
    WHERE d.client_id = %(client_id)s AND d.event_id = due.event_id
    RETURNING d.event_id, d.client_id, d.message_id, d.attempts, d.due_at
)
SELECT
    t.event_id, t.client_id, t.message_id, t.attempts, t.due_at, e.type, e.channel, e.direction, e.source, e.provider,
    e.provider_message_id, e.error, e.occurred_at, e.received_at, e.recorded_at, e.payload,
\ir interaction_of.sql
    AS interaction_id
FROM taken AS t
JOIN events AS e ON e.id = t.event_id
ORDER BY e.xid, e.position
