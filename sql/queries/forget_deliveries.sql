-- Removes some deliveries of events recorded before a time; but those that were owed only later, as their message was not
-- known, have as long from then.
DELETE FROM deliveries WHERE (client_id, event_id) IN (
    SELECT client_id, event_id FROM deliveries
    WHERE recorded_at < now() - %(age)s AND coalesce(owed_at < now() - %(age)s, true)
    ORDER BY recorded_at LIMIT %(limit)s
)
RETURNING event_id
