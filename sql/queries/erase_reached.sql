-- The messages of an erasure's customer that a provider knows: `source` and `target`, the provider's id (NULL where there is
-- none).
WITH one AS MATERIALIZED (SELECT id, client_id, handles FROM erasures WHERE id = %(id)s)
SELECT DISTINCT i.provider AS source, i.provider_message_id AS target
FROM (
    SELECT i.provider, i.provider_message_id
    FROM one
    JOIN interactions AS i ON i.handle_id = ANY (one.handles) AND i.client_id = one.client_id
    UNION ALL
    SELECT i.provider, i.provider_message_id
    FROM erased_intervals AS v
    JOIN interactions AS i ON i.handle_id = v.handle_id AND i.client_id = v.client_id AND i."timestamp" >= v.valid_from
        AND i."timestamp" < v.valid_to
    WHERE v.erasure_id = %(id)s
) AS i
WHERE i.provider IS NOT NULL
