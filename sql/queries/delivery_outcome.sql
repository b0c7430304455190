-- What came of a try, unless the delivery was taken or replayed since. What waits behind it is due when it is, or now if it
-- waits no longer: what cannot be taken yet must not be looked at again and again.
WITH settled AS (
    UPDATE deliveries SET
        state = %(state)s, due_at = now() + %(pause)s, last_status = %(status)s, last_error = %(error)s,
        secret_version = %(secret_version)s
    WHERE client_id = %(client_id)s AND event_id = %(event_id)s AND due_at = %(due_at)s
    RETURNING message_id, xid, position, state, due_at
)
UPDATE deliveries AS d SET due_at = CASE WHEN s.state = 'waiting' THEN s.due_at ELSE now() END
FROM settled AS s
WHERE d.client_id = %(client_id)s AND d.message_id = s.message_id AND d.state = 'waiting'
    AND (d.xid, d.position) > (s.xid, s.position)
    AND CASE WHEN s.state = 'waiting' THEN d.due_at < s.due_at ELSE d.due_at > now() END
