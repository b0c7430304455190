-- Why a month must stay: events that were not relayed yet, deliveries that wait, and an erasure that takes interactions apart, whose events
-- may be of it. No row if nothing does.
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
    UNION ALL
    SELECT 'an erasure takes interactions apart'
    FROM erased_parts AS p
    WHERE p.interaction_id IS NOT NULL
) AS reasons
LIMIT 1
