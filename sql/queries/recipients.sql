-- The handles of messages' recipients, of which each message is sealed under the first.
SELECT id, (handles -> 0 ->> 2)::uuid AS handle_id FROM messages WHERE id = ANY (%(ids)s::uuid[])
