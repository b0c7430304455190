-- One dead letter with its record, of one client, or of any where the parameter is NULL.
SELECT
\ir dead_letter_columns.sql
    , d.detail, d.items, d.value, d.sealed_detail
FROM dead_letters AS d
WHERE d.id = %(id)s AND (%(client_id)s::text IS NULL OR d.client_id = %(client_id)s)
