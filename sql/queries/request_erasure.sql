-- Requests the erasure of a customer who has handles that are not erased, unless one of all of this is under way. It is about the
-- assignments that he has now, and no others than `asked`, if these were named when it was asked for. Notes it in the audit. Returns it;
-- no row where there is no such customer.
WITH present AS MATERIALIZED (
    SELECT
\ir customer_id.sql
    AS id
),
his AS MATERIALIZED (
    SELECT
        p.id,
        coalesce(
            %(asked)s::uuid[],
            ARRAY(SELECT a.id FROM assignments AS a WHERE a.client_id = %(client_id)s AND a.customer_id = p.id ORDER BY a.id)
        ) AS assignments
    FROM present AS p
),
theirs AS MATERIALIZED (
\ir erased_handles.sql
),
under_way AS MATERIALIZED (
\ir erasure_under_way.sql
),
made AS (
    INSERT INTO erasures (id, customer_id, client_id, actor, reason, asked)
    SELECT %(id)s, h.id, %(client_id)s, %(by_actor)s, %(reason)s, h.assignments
    FROM his AS h
    WHERE EXISTS (SELECT FROM theirs WHERE erased_at IS NULL) AND NOT EXISTS (SELECT FROM under_way)
    ON CONFLICT (client_id, customer_id, hash_array_extended(asked, 0)) WHERE state <> 'completed' AND repeats IS NULL DO NOTHING
    RETURNING id, customer_id, client_id
),
noted AS (
    INSERT INTO audit (actor, client_id, action, subject, detail, key_id, address, request_id, why)
    SELECT
        %(by_actor)s, client_id, 'customer.erase', customer_id::text, jsonb_build_object('erasure', id),
        %(by_key)s::uuid, %(address)s::text, %(request_id)s::text, %(reason)s
    FROM made
)
SELECT id FROM made
UNION ALL
SELECT id FROM under_way
LIMIT 1
