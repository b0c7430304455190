-- The number of dead letters that pass a filter: those to be handled, and those of them whose record was kept.
SELECT count(*) AS letters, count(*) FILTER (WHERE d.value IS NOT NULL) AS whole
FROM dead_letters AS d
WHERE (%(client_id)s::text IS NULL OR d.client_id = %(client_id)s) AND
\ir dead_letter_filter.sql
