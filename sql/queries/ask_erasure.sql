-- Asks for the erasure of a customer, which then waits for a second person, unless one of all that he has waits or is under way, or he
-- has no handles that are not erased. Notes it in the audit. Returns the id of what waits or is under way; no row where there is no such
-- customer.
WITH present AS MATERIALIZED (
    SELECT
\ir customer_id.sql
    AS id
),
his AS MATERIALIZED (
    SELECT
        p.id,
        ARRAY(SELECT a.id FROM assignments AS a WHERE a.client_id = %(client_id)s AND a.customer_id = p.id ORDER BY a.id) AS assignments
    FROM present AS p
),
theirs AS MATERIALIZED (
\ir erased_handles.sql
),
under_way AS MATERIALIZED (
\ir erasure_under_way.sql
    UNION ALL
    SELECT r.id
    FROM his AS h
    JOIN erasure_requests AS r ON r.client_id = %(client_id)s AND r.customer_id = h.id AND r.decision IS NULL
        AND (r.asked @> h.assignments) IS NOT FALSE
),
made AS (
    INSERT INTO erasure_requests (id, customer_id, client_id, actor, party, parties, credential, reason, expires_at, asked)
    SELECT %(id)s, h.id, %(client_id)s, %(by_actor)s, %(party)s, %(parties)s::text[], %(credential)s::uuid, %(reason)s, now() + %(lasts)s, h.assignments
    FROM his AS h
    WHERE EXISTS (SELECT FROM theirs WHERE erased_at IS NULL) AND NOT EXISTS (SELECT FROM under_way)
    ON CONFLICT (client_id, customer_id, hash_array_extended(asked, 0)) WHERE decision IS NULL DO NOTHING
    RETURNING id, customer_id, client_id
),
noted AS (
    INSERT INTO audit (actor, client_id, action, subject, detail, key_id, address, request_id, why)
    SELECT
        %(by_actor)s, client_id, 'erasure.ask', customer_id::text, jsonb_build_object('erasure', id),
        %(by_key)s::uuid, %(address)s::text, %(request_id)s::text, %(reason)s
    FROM made
)
SELECT id FROM made
UNION ALL
SELECT id FROM under_way
LIMIT 1
