-- Whether the log has an event after a place, below the horizon or not.
SELECT EXISTS (SELECT FROM events WHERE (xid, position) > (%(xid)s, %(position)s)) AS behind
