-- Whether the log has an event after a place, below the horizon or not. In order, so that it is looked up by index also while a new
-- partition has no statistics.
SELECT EXISTS (
    SELECT FROM (SELECT FROM events WHERE (xid, position) > (%(xid)s, %(position)s) ORDER BY xid, position LIMIT 1) AS first
) AS behind
