-- A client's queued messages, the longest due first, after a key: lane by lane and priority by priority, as the index messages_due
-- has them. The states are written as in that index, so that the planner uses it.
SELECT
    m.id, m.client_id, m.message_id, m.state, m.channel, m.account, m.priority, m.accepted_at, m.changed_at, m.due_at,
    m.not_before, m.expires_at, m.cancelled, m.cause, m.error, m.provider_message_id, m.request ->> 'reference' AS reference
FROM lanes AS l
CROSS JOIN (VALUES (0::smallint), (1::smallint), (2::smallint)) AS p (priority)
CROSS JOIN LATERAL (
    SELECT queued.*
    FROM messages AS queued
    WHERE queued.lane = l.id AND queued.priority = p.priority AND queued.waiting AND queued.state = 'queued'
        AND queued.due_at >= coalesce(%(due_at)s::timestamptz, '-infinity')
        AND (queued.due_at, queued.id) > (
            coalesce(%(due_at)s::timestamptz, '-infinity'),
            coalesce(%(id)s::uuid, '00000000-0000-0000-0000-000000000000')
        )
    ORDER BY queued.due_at, queued.id
    LIMIT %(limit)s
) AS m
WHERE l.client_id = %(client_id)s
ORDER BY m.due_at, m.id
LIMIT %(limit)s
