-- A message, by its id or its idempotency key, with its request, its attempts, and the delivery of its interaction.
SELECT
    m.id, m.client_id, m.message_id, m.state, m.channel, m.account, m.priority, m.accepted_at, m.changed_at, m.due_at,
    m.not_before, m.expires_at, m.tries, m.doubted, m.checks, m.tried, m.cancelled, m.released, m.cause, m.error, m.provider_message_id,
    m.request, m.fingerprint, m.handles,
    coalesce(l.interaction_id, m.id) AS interaction_id, i.delivery,
    coalesce(
        (
            SELECT jsonb_agg(
                jsonb_build_object(
                    'number', a.row_number, 'channel', a.channel, 'account', a.account, 'begunAt', a.begun_at,
                    'answeredAt', a.answered_at, 'outcome', a.outcome, 'status', a.status,
                    'providerMessageId', a.provider_message_id, 'error', a.error
                )
                ORDER BY a.number
            )
            -- Numbered without gaps: an attempt is stored under the number of its claim, and some claims made none.
            FROM (SELECT *, row_number() OVER (ORDER BY number) FROM attempts WHERE id = m.id) AS a
        ), '[]'
    ) AS attempts
FROM messages AS m
LEFT JOIN interaction_links AS l ON l.reference = m.id
LEFT JOIN interactions AS i ON i.id = CASE WHEN l.interaction_id IS NULL THEN m.id ELSE l.interaction_id END AND i.client_id = m.client_id
WHERE m.id = (SELECT coalesce(
    (SELECT o.id FROM messages AS o WHERE o.id = message_reference(%(client_id)s, %(message_id)s)),
    (SELECT k.id FROM message_keys AS k WHERE k.client_id = %(client_id)s AND k.key = %(key)s)
))
