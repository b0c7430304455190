-- Claims due deliveries of a client, of each message only the first that waits, and returns their events. Updates the hint of
-- when this client's next delivery is due.
WITH heads AS MATERIALIZED (
    SELECT d.event_id, d.due_at, row_number() OVER (ORDER BY d.due_at, d.xid, d.position) AS place
    FROM (
        SELECT d.event_id, d.due_at, d.xid, d.position
        FROM deliveries AS d
        WHERE d.client_id = %(client_id)s AND d.state = 'waiting' AND d.due_at <= now()
            AND NOT EXISTS (
                SELECT FROM deliveries AS earlier
                WHERE earlier.client_id = d.client_id AND earlier.message_id = d.message_id
                    AND earlier.state = 'waiting' AND (earlier.xid, earlier.position) < (d.xid, d.position)
            )
        ORDER BY d.due_at, d.xid, d.position
        LIMIT %(limit)s::bigint + 1
    ) AS d
),
due AS MATERIALIZED (
    SELECT h.event_id
    FROM heads AS h
    CROSS JOIN LATERAL (
        SELECT FROM deliveries AS d
        WHERE d.client_id = %(client_id)s AND d.event_id = h.event_id AND d.state = 'waiting' AND d.due_at <= now()
        FOR UPDATE SKIP LOCKED
    ) AS locked
    WHERE h.place <= %(limit)s
),
taken AS (
    UPDATE deliveries AS d SET due_at = now() + %(lease)s, attempts = d.attempts + 1, attempted_at = now(), taken = true
    FROM due
    WHERE d.client_id = %(client_id)s AND d.event_id = due.event_id
    RETURNING d.event_id, d.client_id, d.message_id, d.attempts, d.due_at, d.recorded_at, d.xid, d.position
),
removed AS (
    DELETE FROM clients_due AS h
    USING (SELECT client_id, id FROM clients_due WHERE client_id = %(client_id)s FOR UPDATE SKIP LOCKED) AS old
    WHERE h.client_id = old.client_id AND h.id = old.id
),
noted AS (
    INSERT INTO clients_due (client_id, due_at)
    SELECT %(client_id)s, next.due_at
    FROM (
        SELECT coalesce(
            (SELECT min(h.due_at) FROM heads AS h WHERE h.event_id NOT IN (SELECT event_id FROM due)),
            (
                SELECT d.due_at FROM deliveries AS d
                WHERE d.client_id = %(client_id)s AND d.state = 'waiting' AND d.due_at > now()
                ORDER BY d.due_at LIMIT 1
            )
        ) AS due_at
    ) AS next
    WHERE next.due_at IS NOT NULL
)
SELECT
    t.event_id, t.client_id, t.message_id, t.attempts, t.due_at, e.type, e.channel, e.direction, e.source, e.provider,
    e.provider_message_id, e.error, e.occurred_at, e.received_at, e.recorded_at, e.payload, e.trace,
\ir interaction_of.sql
    AS interaction_id
FROM taken AS t
JOIN events AS e ON e.recorded_at = t.recorded_at AND e.xid = t.xid AND e.position = t.position
ORDER BY e.xid, e.position
