-- The files of the archive that an erasure has not been through, in order; all of them for none.
SELECT f.month, f.part, f.file, f.digest, f.checksum
FROM archive_files AS f
WHERE NOT EXISTS (SELECT FROM erased_files AS d WHERE d.erasure_id = %(id)s::uuid AND d.month = f.month AND d.part = f.part)
ORDER BY f.month, f.part
