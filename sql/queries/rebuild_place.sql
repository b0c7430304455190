-- The place in the log some events after another, below the horizon, or the last one there is; no row where there is none.
SELECT xid, position
FROM (
    SELECT xid, position
    FROM events
    WHERE (xid, position) > (%(xid)s, %(position)s) AND xid < %(horizon)s
    ORDER BY xid, position
    LIMIT %(chunk)s
) AS stretch
ORDER BY xid DESC, position DESC
LIMIT 1
