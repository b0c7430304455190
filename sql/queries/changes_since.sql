-- The interactions of some customers that events after a place in the log changed, in the order of their last change, each
-- with the ids by which its customer was asked for (`asked_for`): one that was joined to another has several.
WITH changed AS (
    SELECT DISTINCT ON (id, client_id)
\ir interaction_of.sql
        AS id,
        e.client_id, e.xid, e.position
    FROM events AS e
    WHERE (e.xid, e.position) > (%(xid)s, %(position)s) AND e.xid < %(horizon)s AND e.reference IS NOT NULL
    ORDER BY id, client_id, e.xid DESC, e.position DESC
),
asked AS MATERIALIZED (
    SELECT
        present_customer(NULL, given.id) AS customer_id,
        array_agg(given.id) AS ids
    FROM unnest(%(customers)s::uuid[]) AS given (id)
    GROUP BY 1
)
SELECT a.customer_id, asked.ids AS asked_for, c.xid AS change_xid, c.position AS change_position,
\ir shown.sql
FROM changed AS c
JOIN interactions AS i ON i.id = c.id AND i.client_id = c.client_id
JOIN assignments AS a ON a.handle_id = i.handle_id AND i."timestamp" >= a.valid_from AND i."timestamp" < a.valid_to
JOIN asked ON asked.customer_id = a.customer_id
\ir address.sql
ORDER BY c.xid, c.position
LIMIT %(limit)s
