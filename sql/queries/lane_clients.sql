-- The clients of some lanes.
SELECT id, client_id FROM lanes WHERE id = ANY (%(ids)s::uuid[])
