-- The first range of the log that is left to link, and how many events those are that are left; no row if there is none.
SELECT *, (SELECT sum(events)::bigint FROM threadline_rebuild.left_to_link) AS total
FROM threadline_rebuild.left_to_link
ORDER BY upto_xid, upto_position
LIMIT 1
