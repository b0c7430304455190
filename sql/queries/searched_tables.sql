-- The tables that a search of the whole database looks through.
SELECT schemaname AS schema, tablename AS table FROM pg_tables
WHERE schemaname IN ('threadline', 'threadline_rebuild')
ORDER BY 1, 2
