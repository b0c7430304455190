-- Removes some deliveries of events recorded before a time, but for those that were owed later and wait since less than that.
DELETE FROM deliveries WHERE (client_id, event_id) IN (
    SELECT client_id, event_id FROM deliveries
    WHERE recorded_at < now() - %(age)s AND (state <> 'waiting' OR due_at < now() - %(age)s)
    ORDER BY recorded_at LIMIT %(limit)s
)
RETURNING event_id
