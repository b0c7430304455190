-- The place in the log that is a number of events after another place and below the horizon, or the last such place; no row
-- if there is none.
SELECT xid, position
FROM (
    SELECT xid, position
    FROM events
    WHERE (xid, position) > (%(xid)s, %(position)s) AND xid < %(horizon)s
    ORDER BY xid, position
    LIMIT %(chunk)s
) AS span
ORDER BY xid DESC, position DESC
LIMIT 1
