-- The place in the log that is a number of events after another place, or the last such place up to `upto`, and how many events
-- that are; no row if there is none.
SELECT xid, position, events
FROM (
    SELECT xid, position, count(*) OVER () AS events
    FROM (
        SELECT e.xid, e.position
        FROM threadline.events AS e
        WHERE (e.xid, e.position) > (%(after_xid)s, %(after_position)s) AND (e.xid, e.position) <= (%(upto_xid)s, %(upto_position)s)
        ORDER BY e.xid, e.position
        LIMIT %(chunk)s
    ) AS span
) AS counted
ORDER BY xid DESC, position DESC
LIMIT 1
