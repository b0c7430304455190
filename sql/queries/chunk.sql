-- Part of the statements that read a range of the log: the events after one place, up to and including another.
SELECT * FROM threadline.events
WHERE (xid, position) > (%(after_xid)s, %(after_position)s) AND (xid, position) <= (%(upto_xid)s, %(upto_position)s)
