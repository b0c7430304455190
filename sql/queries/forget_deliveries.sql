-- Removes some deliveries of events recorded before a time. Of an event whose message became known later (`owed_at`), that later
-- time counts. What another transaction has locked is left for the next time.
DELETE FROM deliveries WHERE (client_id, event_id) IN (
    SELECT client_id, event_id FROM deliveries
    WHERE recorded_at < now() - %(age)s AND coalesce(owed_at < now() - %(age)s, true)
    ORDER BY recorded_at LIMIT %(limit)s
    FOR UPDATE SKIP LOCKED
)
RETURNING event_id
