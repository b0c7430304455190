-- A client's dead letters, newest first, without their records.
SELECT
\ir dead_letter_columns.sql
FROM dead_letters AS d
WHERE d.client_id = %(client_id)s AND
\ir dead_letter_page.sql
