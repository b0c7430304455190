-- A customer's interactions that changed after a place in the log and before the horizon, in the order of their last change.
SELECT a.customer_id, i.last_change[1] AS change_xid, i.last_change[2] AS change_position,
\ir shown.sql
FROM assignments AS a
JOIN interactions AS i ON a.handle_id = i.handle_id AND i."timestamp" >= a.valid_from AND i."timestamp" < a.valid_to
\ir address.sql
WHERE a.customer_id =
\ir customer_id.sql
    AND a.client_id = %(client_id)s
    AND i.last_change > ARRAY[%(xid)s, %(position)s]::bigint[]
    AND i.last_change[1] < %(horizon)s
ORDER BY i.last_change
LIMIT %(limit)s
