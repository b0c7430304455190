-- Requests an erasure once more, of these handles, after the database was restored to a time before it; one without handles is
-- only noted, as completed. Returns its id; no row if it is known.
WITH made AS (
    INSERT INTO erasures (id, customer_id, client_id, actor, reason, repeats, handles, state, completed_at)
    SELECT
        %(id)s, %(customer_id)s, %(client_id)s, %(by_actor)s, %(reason)s, %(repeats)s, %(handles)s::uuid[],
        CASE WHEN %(handles)s::uuid[] = '{}' THEN 'completed' ELSE 'requested' END,
        CASE WHEN %(handles)s::uuid[] = '{}' THEN now() END
    ON CONFLICT (id) DO NOTHING
    RETURNING id, customer_id, client_id
),
noted AS (
    INSERT INTO audit (actor, client_id, action, subject, detail, key_id, address, request_id, why)
    SELECT
        %(by_actor)s, client_id, 'erasure.replay', customer_id::text, jsonb_build_object('erasure', id),
        %(by_key)s::uuid, %(address)s::text, %(request_id)s::text, %(reason)s
    FROM made
)
SELECT id FROM made
