-- Makes the waiting deliveries of a callback due now, and resets their attempts.
UPDATE deliveries SET due_at = now(), attempts = 0
WHERE client_id = %(client_id)s AND state = 'waiting'
RETURNING event_id
