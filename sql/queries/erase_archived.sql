-- By which references those interactions are known of which `erase_shared` is to be asked and the archive may have events: they began
-- before the end of its last month.
WITH ended AS MATERIALIZED (SELECT max(month) + interval '1 month' AS at FROM archive_files)
SELECT i.id AS reference
FROM ended
JOIN interactions AS i ON i.id = ANY (%(ids)s::uuid[]) AND i.client_id = %(client_id)s AND i."timestamp" < ended.at
UNION
SELECT l.reference
FROM ended
JOIN interactions AS i ON i.id = ANY (%(ids)s::uuid[]) AND i.client_id = %(client_id)s AND i."timestamp" < ended.at
JOIN interaction_links AS l ON l.interaction_id = i.id AND l.client_id = i.client_id
