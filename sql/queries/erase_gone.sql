-- Notes the references of messages that archived events say are an erasure's customer's, where the timeline does not know it: the
-- interaction is gone, as by retention, or what is left of it came later. A message is whose it would be if the archive were restored:
-- its handle and its time are the least of what the archive and the timeline have. One of which a reference is noted is noted whole.
WITH one AS MATERIALIZED (SELECT id, client_id, handles FROM erasures WHERE id = %(id)s),
said AS MATERIALIZED (
    SELECT s.*
    FROM unnest(%(reference)s::uuid[], %(number)s::int[], %(at)s::timestamptz[], %(user)s::uuid[], %(address)s::uuid[])
        AS s (reference, number, at, user_handle, address_handle)
),
known AS MATERIALIZED (
    SELECT s.number, i."timestamp" AS at, i.user_handle_id, i.address_handle_id
    FROM said AS s
    CROSS JOIN one
    CROSS JOIN LATERAL (
        SELECT s.reference AS id
        UNION
        SELECT l.interaction_id FROM interaction_links AS l WHERE l.reference = s.reference AND l.client_id = one.client_id
    ) AS n
    JOIN interactions AS i ON i.id = n.id AND i.client_id = one.client_id
),
messages AS MATERIALIZED (
    SELECT
        number, min(at) AS at,
        coalesce(min(user_handle::text COLLATE "C"), min(address_handle::text COLLATE "C"))::uuid AS handle_id
    FROM (SELECT number, at, user_handle, address_handle FROM said UNION ALL SELECT * FROM known) AS every
    GROUP BY number
),
theirs AS (
    SELECT m.number
    FROM messages AS m
    CROSS JOIN one
    WHERE m.handle_id = ANY (one.handles)
        OR EXISTS (
            SELECT FROM erased_intervals AS v
            WHERE v.erasure_id = one.id AND v.handle_id = m.handle_id AND m.at >= v.valid_from AND m.at < v.valid_to
        )
    UNION
    SELECT s.number
    FROM said AS s
    CROSS JOIN one
    JOIN erased_references AS r ON r.reference = s.reference AND r.client_id = one.client_id AND r.erasure_id = one.id
)
INSERT INTO erased_references (reference, client_id, erasure_id)
SELECT s.reference, one.client_id, one.id
FROM said AS s
JOIN theirs USING (number)
CROSS JOIN one
ON CONFLICT (reference, client_id) DO NOTHING
