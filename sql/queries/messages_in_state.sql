-- A client's messages in a state that pass a filter, the last changed first, after a key. The states are written as in the index messages_by_state,
-- so that the planner uses it.
SELECT
    m.id, m.client_id, m.message_id, m.state, m.channel, m.account, m.priority, m.accepted_at, m.changed_at, m.due_at,
    m.not_before, m.expires_at, m.cancelled, m.cause, m.error, m.provider_message_id, m.request ->> 'reference' AS reference
FROM messages AS m
WHERE m.client_id = %(client_id)s AND m.state = %(state)s
    AND m.state IN ('held', 'retrying', 'unanswered', 'failed', 'expired', 'cancelled')
    AND (m.changed_at, m.id) < (
        (SELECT coalesce(%(changed_at)s::timestamptz, 'infinity')),
        (SELECT coalesce(%(id)s::uuid, 'ffffffff-ffff-ffff-ffff-ffffffffffff'))
    )
\ir message_filter.sql
ORDER BY m.changed_at DESC, m.id DESC
LIMIT %(limit)s
