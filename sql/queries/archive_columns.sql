-- The columns of the log and their types, in the order of `archive_statements`.
SELECT c.attname::text AS name, format_type(c.atttypid, NULL) AS type
FROM pg_attribute AS c
WHERE c.attrelid = 'events'::regclass AND c.attnum > 0 AND NOT c.attisdropped
ORDER BY c.attnum
