-- Notes events that leave interactions (`his`) or stay in them without their words (`nobodys`), and removes the interactions (`ids`),
-- which are made anew, and what belongs to the customer: deliveries of these events, and messages that he alone has a part in (`gone`)
-- or that go to one of his addresses. What names him alone is noted as removed, with the erasure itself, under which his events go on.
WITH one AS MATERIALIZED (SELECT id, client_id, handles FROM erasures WHERE id = %(id)s AND state = 'purged'),
known AS MATERIALIZED (
    SELECT unnest(%(ids)s::uuid[]) AS reference
    UNION
    SELECT l.reference FROM one JOIN interaction_links AS l ON l.interaction_id = ANY (%(ids)s::uuid[]) AND l.client_id = one.client_id
),
parted AS (
    INSERT INTO erased_parts (erasure_id, client_id, event_id, his)
    SELECT one.id, one.client_id, p.event_id, p.his
    FROM one
    CROSS JOIN (SELECT unnest(%(his)s::uuid[]), true UNION ALL SELECT unnest(%(nobodys)s::uuid[]), false) AS p (event_id, his)
    ON CONFLICT (erasure_id, event_id) DO NOTHING
),
noted AS (
    INSERT INTO erased_references (reference, client_id, erasure_id)
    SELECT g.reference, one.client_id, one.id
    FROM one
    CROSS JOIN (SELECT unnest(%(gone)s::uuid[]) UNION SELECT %(id)s WHERE cardinality(%(his)s::uuid[]) > 0) AS g (reference)
    ON CONFLICT (reference, client_id) DO NOTHING
),
undelivered AS (
    DELETE FROM deliveries AS d USING one
    WHERE d.client_id = one.client_id AND d.event_id = ANY (%(his)s::uuid[] || %(nobodys)s::uuid[])
),
sent AS MATERIALIZED (
    SELECT m.id
    FROM one
    JOIN messages AS m ON m.client_id = one.client_id AND m.id = ANY (ARRAY(SELECT reference FROM known))
    WHERE m.id = ANY (%(gone)s::uuid[]) OR EXISTS (
        SELECT FROM jsonb_array_elements(m.handles) AS a (address) WHERE (a.address ->> 2)::uuid = ANY (one.handles)
    )
),
keyed AS (
    DELETE FROM message_keys WHERE id = ANY (ARRAY(SELECT id FROM sent)) RETURNING client_id, key
),
answered AS (
    DELETE FROM idempotency_keys AS a USING keyed AS k WHERE a.client_id = k.client_id AND a.key = k.key
),
tried AS (
    DELETE FROM attempts WHERE id = ANY (ARRAY(SELECT id FROM sent))
),
removed AS (
    DELETE FROM messages WHERE id = ANY (ARRAY(SELECT id FROM sent))
),
unlinked AS (
    DELETE FROM interaction_links AS l USING one WHERE l.interaction_id = ANY (%(ids)s::uuid[]) AND l.client_id = one.client_id
),
cleared AS (
    DELETE FROM interactions AS i USING one WHERE i.id = ANY (ARRAY(SELECT reference FROM known)) AND i.client_id = one.client_id
)
UPDATE erasures AS e SET shared = e.shared + cardinality(%(ids)s::uuid[]), nobodys = e.nobodys + cardinality(%(nobodys)s::uuid[])
FROM one WHERE e.id = one.id
