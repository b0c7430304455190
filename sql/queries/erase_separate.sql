-- Removes some interactions (`ids`), which are made anew, and what belongs to the customer: messages that he alone has a part in (`gone`)
-- or that go to one of his addresses. What names him alone is noted as removed.
WITH one AS MATERIALIZED (SELECT id, client_id, handles FROM erasures WHERE id = %(id)s AND state = 'purged'),
known AS MATERIALIZED (
    SELECT unnest(%(ids)s::uuid[]) AS reference
    UNION
    SELECT l.reference FROM one JOIN interaction_links AS l ON l.interaction_id = ANY (%(ids)s::uuid[]) AND l.client_id = one.client_id
),
noted AS (
    INSERT INTO erased_references (reference, client_id, erasure_id)
    SELECT g.reference, one.client_id, one.id
    FROM one
    CROSS JOIN unnest(%(gone)s::uuid[]) AS g (reference)
    ON CONFLICT (reference, client_id) DO NOTHING
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
)
DELETE FROM interactions AS i USING one WHERE i.id = ANY (ARRAY(SELECT reference FROM known)) AND i.client_id = one.client_id
