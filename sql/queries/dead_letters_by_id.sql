-- These dead letters, without their records.
SELECT
\ir dead_letter_columns.sql
FROM dead_letters AS d
WHERE d.id = ANY (%(ids)s::uuid[])
