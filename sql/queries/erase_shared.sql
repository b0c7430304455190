-- The next interactions, by their ids, that name a handle of an erasure and another one that is not erased with it, or that it has begun
-- to take apart.
WITH one AS MATERIALIZED (SELECT client_id, handles AS erased, handles || kept AS handles FROM erasures WHERE id = %(id)s),
begun AS MATERIALIZED (
    SELECT DISTINCT interaction_id AS id FROM erased_parts WHERE erasure_id = %(id)s AND interaction_id IS NOT NULL
),
found AS (
    SELECT id FROM begun
    UNION
\ir naming_handles.sql
)
SELECT i.id
FROM one
JOIN interactions AS i ON i.client_id = one.client_id AND i.id IN (SELECT id FROM found)
WHERE i.id > %(after)s AND (
    i.id IN (SELECT id FROM begun)
    OR (
        (i.named IS NOT NULL OR num_nonnulls(i.user_handle_id, i.address_handle_id) = 2)
        AND (
            coalesce(cardinality(i.named), 0) = 64
            OR EXISTS (
                SELECT FROM unnest(i.named || ARRAY[i.user_handle_id, i.address_handle_id]) AS n (id) WHERE n.id <> ALL (one.erased)
            )
        )
        AND NOT EXISTS (
            SELECT FROM erased_references AS r WHERE r.reference = i.id AND r.client_id = i.client_id AND r.erasure_id = %(id)s
        )
    )
)
ORDER BY i.id
LIMIT %(limit)s
