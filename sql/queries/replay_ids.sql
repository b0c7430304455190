-- Makes deliveries wait again, by the ids of their events.
UPDATE deliveries SET state = 'waiting', due_at = now(), attempts = 0
WHERE client_id = %(client_id)s AND event_id = ANY (%(ids)s::uuid[])
RETURNING event_id
