-- One interaction, by its id or by the id of one that was merged into it.
SELECT coalesce(h.customer_id, i.handle_id) AS customer_id,
\ir shown.sql
FROM interactions AS i
LEFT JOIN handles AS h ON h.id = i.handle_id
WHERE i.client_id = %(client_id)s AND NOT i.superseded AND i.id = coalesce(
    (SELECT interaction_id FROM interaction_links WHERE reference = %(id)s AND client_id = %(client_id)s), %(id)s
)
