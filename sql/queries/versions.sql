-- Part of `pairs` and `differing`: the ids and places of an event `a.identity` and of its further versions.
SELECT * FROM threadline.event_ids WHERE id = a.identity
UNION ALL
SELECT * FROM threadline.event_ids WHERE identity = a.identity
