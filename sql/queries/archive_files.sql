-- The files of a month, in the order of the log.
SELECT part, file, events, digest, checksum, last_xid, last_position, verified_at FROM archive_files WHERE month = %(month)s ORDER BY part
