-- When the customer of an erasure had addresses whose keys stay, and these addresses, as long as they are there.
SELECT v.handle_id AS id, h.kind, h.salt, h.sealed, nullif(v.valid_from, '-infinity') AS valid_from, v.valid_to
FROM erased_intervals AS v
LEFT JOIN handles AS h ON h.id = v.handle_id AND h.client_id = v.client_id
WHERE v.erasure_id = %(id)s
ORDER BY v.handle_id, v.valid_from
