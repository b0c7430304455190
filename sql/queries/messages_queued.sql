-- A client's queued messages that pass a filter, the longest due first, after a key: lane by lane and priority by priority, as the index messages_due
-- has them. The states are written as in that index, so that the planner uses it.
SELECT
    m.id, m.client_id, m.message_id, m.state, m.channel, m.account, m.priority, m.accepted_at, m.changed_at, m.due_at,
    m.not_before, m.expires_at, m.cancelled, m.cause, m.error, m.provider_message_id, m.request ->> 'reference' AS reference
FROM lanes AS l
CROSS JOIN (VALUES (0::smallint), (1::smallint), (2::smallint)) AS p (priority)
CROSS JOIN LATERAL (
    SELECT m.*
    FROM messages AS m
    WHERE m.lane = l.id AND m.priority = p.priority AND m.waiting AND m.state = 'queued'
        AND m.due_at >= (SELECT coalesce(%(due_at)s::timestamptz, '-infinity'))
        AND (m.due_at, m.id) > (
            (SELECT coalesce(%(due_at)s::timestamptz, '-infinity')),
            (SELECT coalesce(%(id)s::uuid, '00000000-0000-0000-0000-000000000000'))
        )
\ir message_filter.sql
    ORDER BY m.due_at, m.id
    LIMIT %(limit)s
) AS m
WHERE l.client_id = %(client_id)s
ORDER BY m.due_at, m.id
LIMIT %(limit)s
