-- The handles of an erasure whose values are still there.
SELECT h.id, h.kind, h.salt, h.sealed
FROM erasures AS e
JOIN handles AS h ON h.id = ANY (e.handles) AND h.client_id = e.client_id
WHERE e.id = %(id)s AND h.sealed IS NOT NULL
