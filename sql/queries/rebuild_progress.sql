-- How far each part of a rebuild that these statements began has come in its section: the negative ones tie, the others fold. No
-- rows without one.
SELECT part, xid, position, upto_xid, upto_position, events
FROM threadline_rebuild.progress
WHERE made_with = %(made_with)s
ORDER BY part
