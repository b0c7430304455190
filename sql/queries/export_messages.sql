-- Some messages of a client, by our ids of them; with `handles`, those that go to one of these.
SELECT m.message_id, m.state, m.channel, m.account, m.accepted_at, m.changed_at, m.request, m.error
FROM messages AS m
WHERE m.client_id = %(client_id)s
    AND m.id = ANY (ARRAY(SELECT message_reference(%(client_id)s, given.id) FROM unnest(%(ids)s::text[]) AS given (id)))
    AND (%(handles)s::uuid[] IS NULL OR EXISTS (
        SELECT FROM jsonb_array_elements(m.handles) AS a (address) WHERE (a.address ->> 2)::uuid = ANY (%(handles)s::uuid[])
    ))
ORDER BY m.accepted_at, m.id
