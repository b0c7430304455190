-- The dead letters of all clients, and of none, newest first, without their records.
SELECT
\ir dead_letter_columns.sql
FROM dead_letters AS d
WHERE
\ir dead_letter_page.sql
