-- Months that an archive has detached and not dropped: their rows are in no file's reach and no part of the log.
SELECT c.relname::text AS name
FROM pg_class AS c
WHERE c.relnamespace = 'threadline'::regnamespace AND c.relkind = 'r' AND NOT c.relispartition AND c.relname ~ '^events_[0-9]{6}$'
ORDER BY c.relname
