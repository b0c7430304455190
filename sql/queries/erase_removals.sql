-- Files of the archive that were written anew, whose former versions are still to be removed.
SELECT file FROM archive_removals ORDER BY file
