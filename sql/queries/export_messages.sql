-- Some messages of a client, by our ids of them.
SELECT m.message_id, m.state, m.channel, m.account, m.accepted_at, m.changed_at, m.request, m.error
FROM messages AS m
WHERE m.client_id = %(client_id)s
    AND m.id = ANY (ARRAY(SELECT message_reference(%(client_id)s, given.id) FROM unnest(%(ids)s::text[]) AS given (id)))
ORDER BY m.accepted_at, m.id
