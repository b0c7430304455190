-- Puts a file of the archive that was written anew in the place of the former one.
SELECT swap_archive_file(
    %(id)s, %(month)s, %(part)s, %(former)s, %(file)s, %(digest)s, %(checksum)s, %(emptied)s::uuid[]
) AS swapped
