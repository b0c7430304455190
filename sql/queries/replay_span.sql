-- Makes deliveries wait again, by when their events were recorded, the oldest first; returns how many, and the time of
-- the first one beyond the limit.
WITH span AS MATERIALIZED (
    SELECT event_id, recorded_at, row_number() OVER (ORDER BY recorded_at, xid, position) AS number
    FROM deliveries
    WHERE client_id = %(client_id)s AND recorded_at >= %(since)s AND recorded_at < %(until)s
    ORDER BY recorded_at, xid, position
    LIMIT %(most)s::bigint + 1
),
replayed AS (
    UPDATE deliveries AS d SET state = 'waiting', due_at = now(), attempts = 0
    FROM span
    WHERE d.client_id = %(client_id)s AND d.event_id = span.event_id AND span.number <= %(most)s
    RETURNING d.event_id
)
SELECT
    (SELECT count(*) FROM replayed) AS replayed,
    (SELECT recorded_at FROM span WHERE number > %(most)s) AS next
