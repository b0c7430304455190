-- Part of the statements about an erasure: its interactions, those of its handles, those within its intervals, and those that are known
-- by a reference which is noted as its (see `erase_gone`).
SELECT i.*
FROM (
    SELECT i.id, i.client_id
    FROM erasures AS e
    JOIN interactions AS i ON i.handle_id = ANY (e.handles) AND i.client_id = e.client_id
    WHERE e.id = %(id)s
    UNION
    SELECT i.id, i.client_id
    FROM erased_intervals AS v
    JOIN interactions AS i ON i.handle_id = v.handle_id AND i.client_id = v.client_id AND i."timestamp" >= v.valid_from
        AND i."timestamp" < v.valid_to
    WHERE v.erasure_id = %(id)s
    UNION
    SELECT r.reference, r.client_id FROM erased_references AS r WHERE r.erasure_id = %(id)s
    UNION
    SELECT l.interaction_id, l.client_id
    FROM erased_references AS r
    JOIN interaction_links AS l USING (reference, client_id)
    WHERE r.erasure_id = %(id)s
) AS t
JOIN interactions AS i USING (id, client_id)
