-- Makes some deliveries due now that have waited since before a callback's last outage ended, the longest waiting first.
UPDATE deliveries AS d SET due_at = now()
FROM (
    SELECT w.event_id
    FROM deliveries AS w
    WHERE w.client_id = %(client_id)s AND w.state = 'waiting' AND NOT w.taken AND w.due_at > now()
        AND w.attempted_at < (SELECT c.recovered_at FROM callbacks AS c WHERE c.client_id = %(client_id)s)
    ORDER BY w.attempted_at
    LIMIT %(most)s
    FOR UPDATE SKIP LOCKED
) AS waiting
WHERE d.client_id = %(client_id)s AND d.event_id = waiting.event_id
RETURNING d.event_id
