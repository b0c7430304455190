-- One interaction, by its id or by the id of one that was merged into it.
SELECT a.customer_id,
\ir shown.sql
FROM interactions AS i
LEFT JOIN assignments AS a ON a.handle_id = i.handle_id AND i."timestamp" >= a.valid_from AND i."timestamp" < a.valid_to
\ir address.sql
WHERE i.client_id = %(client_id)s AND NOT i.superseded AND i.id = (SELECT coalesce(
    (SELECT interaction_id FROM interaction_links WHERE reference = %(id)s AND client_id = %(client_id)s), %(id)s
))
