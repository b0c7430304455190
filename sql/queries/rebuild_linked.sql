-- Notes that a range of the log is linked.
DELETE FROM threadline_rebuild.left_to_link WHERE upto_xid = %(upto_xid)s AND upto_position = %(upto_position)s
