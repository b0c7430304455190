-- What a message waits for beside its own time: the health of its account, the number of messages of its lane that are due before
-- it (counted up to a bound), and its recipient's consent.
SELECT
    l.open_until, l.trouble, l.rate, before.messages AS ahead, standing.opted_out, standing.zone, m.client_id, m.handles,
    EXISTS (SELECT FROM suppressions AS s WHERE s.client_id = m.client_id) AS suppressing
FROM messages AS m
LEFT JOIN lanes AS l ON l.id = m.lane
CROSS JOIN LATERAL (
    SELECT count(*) AS messages
    FROM (
        SELECT
        FROM (VALUES (0::smallint), (1::smallint), (2::smallint)) AS p (priority)
        CROSS JOIN LATERAL (
            SELECT
            FROM messages AS o
            WHERE o.lane = m.lane AND o.priority = p.priority AND o.waiting AND o.id <> m.id
                AND o.due_at <= CASE WHEN p.priority < m.priority THEN now() ELSE least(m.due_at, now()) END
            LIMIT 1001
        ) AS due
        WHERE p.priority <= m.priority
        LIMIT 1001
    ) AS counted
) AS before
\ir standing.sql
WHERE m.id = message_reference(%(client_id)s, %(message_id)s)
