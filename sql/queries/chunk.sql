-- Part of the statements that read a range of the log: the events after one place, up to and including another, that were
-- recorded at `since` or later. Who appends gives the time of its transaction, so that only the last partitions are read.
SELECT * FROM threadline.events
WHERE recorded_at >= %(since)s AND (xid, position) > (%(after_xid)s, %(after_position)s) AND (xid, position) <= (%(upto_xid)s, %(upto_position)s)
