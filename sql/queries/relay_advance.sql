-- Advances the relay's place, unless another worker has changed it since.
UPDATE relay_cursor SET xid = %(upto_xid)s, position = %(upto_position)s, relayed_at = now()
WHERE xid = %(after_xid)s AND position = %(after_position)s
RETURNING xid, position
