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
    SELECT coalesce((SELECT h.customer_id FROM handles AS h WHERE h.id = a.id), a.id) AS customer_id, array_agg(a.id) AS ids
    FROM unnest(%(customers)s::uuid[]) AS a (id)
    GROUP BY 1
)
SELECT h.customer_id, asked.ids AS asked_for, c.xid AS change_xid, c.position AS change_position,
\ir shown.sql
FROM changed AS c
JOIN interactions AS i ON i.id = c.id AND i.client_id = c.client_id
JOIN handles AS h ON h.id = i.handle_id
JOIN asked ON asked.customer_id = h.customer_id
ORDER BY c.xid, c.position
LIMIT %(limit)s
