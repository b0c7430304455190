-- Notes that the former version of a file is gone.
DELETE FROM archive_removals WHERE file = %(file)s
