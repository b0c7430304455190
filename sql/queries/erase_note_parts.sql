-- Notes events that leave interactions, or stay in them without their words (`his`), each with its interaction and reference, so that an
-- erasure that was killed goes on as it began; and removes their deliveries. The erasure itself is noted as removed: under it his events
-- go on.
WITH one AS MATERIALIZED (SELECT id, client_id FROM erasures WHERE id = %(id)s AND state = 'purged'),
given AS MATERIALIZED (
    SELECT g.event_id, g.his, g.interaction_id, g.reference
    FROM unnest(%(events)s::uuid[], %(his)s::boolean[], %(interactions)s::uuid[], %(references)s::uuid[])
        AS g (event_id, his, interaction_id, reference)
),
noted AS (
    INSERT INTO erased_references (reference, client_id, erasure_id)
    SELECT one.id, one.client_id, one.id FROM one WHERE EXISTS (SELECT FROM given WHERE his)
    ON CONFLICT (reference, client_id) DO NOTHING
),
undelivered AS (
    DELETE FROM deliveries AS d USING one WHERE d.client_id = one.client_id AND d.event_id IN (SELECT event_id FROM given)
)
INSERT INTO erased_parts (erasure_id, client_id, event_id, his, interaction_id, reference)
SELECT one.id, one.client_id, g.event_id, g.his, g.interaction_id, g.reference
FROM one CROSS JOIN given AS g
ON CONFLICT (erasure_id, event_id) DO NOTHING
