-- Part of what reads a stretch of the log: the events after one place, up to another, both included or not as written.
SELECT * FROM threadline.events
WHERE (xid, position) > (%(after_xid)s, %(after_position)s) AND (xid, position) <= (%(upto_xid)s, %(upto_position)s)
