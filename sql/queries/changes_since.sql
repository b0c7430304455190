-- The interactions of some customers that events after a place in the log changed, in the order of their last change.
WITH changed AS (
    SELECT DISTINCT ON (id, client_id)
\ir interaction_of.sql
        AS id,
        e.client_id, e.xid, e.position
    FROM events AS e
    WHERE (e.xid, e.position) > (%(xid)s, %(position)s) AND e.xid < %(horizon)s AND e.reference IS NOT NULL
    ORDER BY id, client_id, e.xid DESC, e.position DESC
)
SELECT h.customer_id, c.xid AS change_xid, c.position AS change_position,
\ir shown.sql
FROM changed AS c
JOIN interactions AS i ON i.id = c.id AND i.client_id = c.client_id
JOIN handles AS h ON h.id = i.handle_id
WHERE h.customer_id = ANY (%(customers)s)
ORDER BY c.xid, c.position
LIMIT %(limit)s
