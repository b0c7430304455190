-- Part of the statements about an erasure: its interactions, those of its handles and those within its intervals.
SELECT i.*
FROM erasures AS e
JOIN interactions AS i ON i.handle_id = ANY (e.handles) AND i.client_id = e.client_id
WHERE e.id = %(id)s
UNION ALL
SELECT i.*
FROM erased_intervals AS v
JOIN interactions AS i ON i.handle_id = v.handle_id AND i.client_id = v.client_id AND i."timestamp" >= v.valid_from
    AND i."timestamp" < v.valid_to
WHERE v.erasure_id = %(id)s
