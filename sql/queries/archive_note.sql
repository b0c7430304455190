-- Notes a file that was written.
INSERT INTO archive_files (month, part, file, events, digest, checksum, last_xid, last_position)
VALUES (%(month)s, %(part)s, %(file)s, %(events)s, %(digest)s, %(checksum)s, %(last_xid)s, %(last_position)s)
