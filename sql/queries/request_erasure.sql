-- Requests the erasure of a customer, unless one is under way, who has handles that are not erased. It is about the assignments that he
-- has now, and no others than `asked`, if these were named when it was asked for. Notes it in the audit. Returns it; no row where there
-- is no such customer.
WITH present AS MATERIALIZED (
    SELECT
\ir customer_id.sql
    AS id
),
theirs AS MATERIALIZED (
\ir erased_handles.sql
),
made AS (
    INSERT INTO erasures (id, customer_id, client_id, actor, reason, asked)
    SELECT
        %(id)s, p.id, %(client_id)s, %(by_actor)s, %(reason)s,
        coalesce(
            %(asked)s::uuid[],
            ARRAY(SELECT a.id FROM assignments AS a WHERE a.client_id = %(client_id)s AND a.customer_id = p.id ORDER BY a.id)
        )
    FROM present AS p
    WHERE EXISTS (SELECT FROM theirs WHERE erased_at IS NULL)
    ON CONFLICT (client_id, customer_id) WHERE state <> 'completed' AND repeats IS NULL DO NOTHING
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
SELECT e.id
FROM present AS p
JOIN erasures AS e ON e.client_id = %(client_id)s AND e.customer_id = p.id AND e.state <> 'completed' AND e.repeats IS NULL
WHERE NOT EXISTS (SELECT FROM made)
