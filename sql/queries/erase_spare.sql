-- Notes events of the archive that leave messages (`his`) or stay in them without their words (`nobodys`), since others have a part in
-- these. Of those that were noted as removed (`references`), what the log has of them and was emptied leaves them too, and they are noted
-- no more.
WITH one AS MATERIALIZED (SELECT id, client_id FROM erasures WHERE id = %(id)s AND state = 'purged'),
spared AS (
    DELETE FROM erased_references AS r USING one
    WHERE r.reference = ANY (%(references)s::uuid[]) AND r.client_id = one.client_id AND r.erasure_id = one.id
    RETURNING r.reference
),
parts AS MATERIALIZED (
    SELECT v.id AS event_id, true AS his
    FROM spared AS r
    CROSS JOIN one
    JOIN events AS v ON v.reference = r.reference AND v.client_id = one.client_id AND v.source_event_id = 'erased ' || v.id
    UNION
    SELECT unnest(%(his)s::uuid[]), true
    UNION
    SELECT unnest(%(nobodys)s::uuid[]), false
),
noted AS (
    INSERT INTO erased_references (reference, client_id, erasure_id)
    SELECT one.id, one.client_id, one.id FROM one WHERE EXISTS (SELECT FROM parts WHERE his)
    ON CONFLICT (reference, client_id) DO NOTHING
),
counted AS (
    UPDATE erasures AS e SET nobodys = e.nobodys + cardinality(%(nobodys)s::uuid[]) FROM one WHERE e.id = one.id
)
INSERT INTO erased_parts (erasure_id, client_id, event_id, his)
SELECT one.id, one.client_id, p.event_id, bool_or(p.his)
FROM one CROSS JOIN parts AS p
GROUP BY 1, 2, 3
ON CONFLICT (erasure_id, event_id) DO NOTHING
