-- Moves a part's place, unless another process has moved it since; returns no row then.
UPDATE threadline_rebuild.progress SET xid = %(upto_xid)s, position = %(upto_position)s, events = events + %(events)s::bigint
WHERE part = %(part)s AND (xid, position) = (%(after_xid)s, %(after_position)s)
RETURNING events
