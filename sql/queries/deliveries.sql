-- A client's deliveries, the newest events first.
SELECT
    d.event_id, d.message_id, e.type, d.state, d.attempts, d.due_at, d.attempted_at, d.recorded_at, d.last_status,
    d.last_error, d.secret_version
FROM deliveries AS d
JOIN events AS e ON e.recorded_at = d.recorded_at AND e.xid = d.xid AND e.position = d.position
WHERE d.client_id = %(client_id)s AND (%(state)s::text IS NULL OR d.state = %(state)s::text)
ORDER BY d.recorded_at DESC, d.xid DESC, d.position DESC
LIMIT %(limit)s
