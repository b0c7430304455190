-- Moves the relay's place on. Nothing is moved where somebody else has moved it since.
UPDATE relay_cursor SET xid = %(upto_xid)s, position = %(upto_position)s, relayed_at = now()
WHERE xid = %(after_xid)s AND position = %(after_position)s
RETURNING xid, position
