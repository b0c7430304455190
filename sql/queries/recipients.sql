-- The handles under which messages are sealed: of each its recipient's first. NULL for a message without an address.
SELECT id, client_id, (handles -> 0 ->> 2)::uuid AS handle_id FROM messages WHERE id = ANY (%(ids)s::uuid[])
