-- Makes due now what waits for a callback, with all of its tries before it.
UPDATE deliveries SET due_at = now(), attempts = 0
WHERE client_id = %(client_id)s AND state = 'waiting'
RETURNING event_id
