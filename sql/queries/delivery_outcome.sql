-- What came of a try, unless the delivery was taken or replayed since.
UPDATE deliveries SET
    state = %(state)s, due_at = now() + %(pause)s, last_status = %(status)s, last_error = %(error)s,
    secret_version = %(secret_version)s
WHERE client_id = %(client_id)s AND event_id = %(event_id)s AND due_at = %(due_at)s
RETURNING event_id
