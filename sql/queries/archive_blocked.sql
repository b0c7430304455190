-- Why a month must stay: events that were not relayed yet, and deliveries that wait. No row if nothing does.
SELECT reason
FROM (
    SELECT 'events of it were not relayed yet' AS reason
    FROM events AS e
    WHERE e.recorded_at >= %(since)s AND e.recorded_at < %(until)s
        AND (e.xid, e.position) > (
            coalesce((SELECT xid FROM relay_cursor), 0), coalesce((SELECT position FROM relay_cursor), 0)
        )
    UNION ALL
    SELECT 'callbacks are owed events of it'
    FROM deliveries AS d
    WHERE d.state = 'waiting' AND d.recorded_at >= %(since)s AND d.recorded_at < %(until)s
) AS reasons
LIMIT 1
