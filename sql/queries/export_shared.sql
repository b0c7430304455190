-- The next interactions, by their ids, that name a handle of a customer and another one, or one that others had too; with when they
-- began, and by which references they are known. `named`: whether a handle of the customer is among those that can be told.
WITH own AS MATERIALIZED (
    SELECT a.handle_id, a.valid_from = '-infinity' AND a.valid_to = 'infinity' AS always
    FROM assignments AS a
    WHERE a.client_id = %(client_id)s AND a.customer_id =
\ir customer_id.sql
),
one AS MATERIALIZED (
    SELECT
        %(client_id)s::text COLLATE "C" AS client_id,
        ARRAY(SELECT handle_id FROM own) AS handles, ARRAY(SELECT handle_id FROM own WHERE always) AS always
),
found AS (
\ir naming_handles.sql
)
SELECT
    i.id, i."timestamp" AS began, n.every && one.handles AS named,
    ARRAY(
        SELECT i.id
        UNION
        SELECT l.reference FROM interaction_links AS l WHERE l.interaction_id = i.id AND l.client_id = i.client_id
    ) AS references
FROM one
JOIN interactions AS i ON i.client_id = one.client_id AND i.id IN (SELECT id FROM found)
CROSS JOIN LATERAL (SELECT array_remove(i.named || ARRAY[i.user_handle_id, i.address_handle_id], NULL) AS every) AS n
WHERE i.id > %(after)s AND (i.named IS NOT NULL OR num_nonnulls(i.user_handle_id, i.address_handle_id) = 2)
    AND (coalesce(cardinality(i.named), 0) = 64 OR NOT n.every <@ one.always)
ORDER BY i.id
LIMIT %(limit)s
