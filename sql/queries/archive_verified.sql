-- Notes that a file was read back and is as it was written.
UPDATE archive_files SET verified_at = now() WHERE month = %(month)s AND part = %(part)s
