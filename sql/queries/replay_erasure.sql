-- Requests an erasure once more, of these handles and intervals (`emptied`: handles, `froms`, `tos`), after the database was restored
-- to a time before it; one without any is only noted, as completed. Returns its id; no row if it is known.
WITH made AS (
    INSERT INTO erasures (id, customer_id, client_id, actor, reason, repeats, handles, kept, state, completed_at)
    SELECT
        %(id)s, %(customer_id)s, %(client_id)s, %(by_actor)s, %(reason)s, %(repeats)s, %(handles)s::uuid[],
        ARRAY(SELECT DISTINCT k FROM unnest(%(emptied)s::uuid[]) AS k ORDER BY k),
        CASE WHEN %(handles)s::uuid[] || %(emptied)s::uuid[] = '{}' THEN 'completed' ELSE 'requested' END,
        CASE WHEN %(handles)s::uuid[] || %(emptied)s::uuid[] = '{}' THEN now() END
    ON CONFLICT (id) DO NOTHING
    RETURNING id, customer_id, client_id
),
had AS (
    INSERT INTO erased_intervals (erasure_id, client_id, handle_id, valid_from, valid_to)
    SELECT m.id, m.client_id, g.handle_id, coalesce(g.valid_from, '-infinity'), g.valid_to
    FROM made AS m
    CROSS JOIN unnest(%(emptied)s::uuid[], %(froms)s::timestamptz[], %(tos)s::timestamptz[]) AS g (handle_id, valid_from, valid_to)
    ON CONFLICT (erasure_id, handle_id, valid_from) DO NOTHING
),
noted AS (
    INSERT INTO audit (actor, client_id, action, subject, detail, key_id, address, request_id, why)
    SELECT
        %(by_actor)s, client_id, 'erasure.replay', customer_id::text, jsonb_build_object('erasure', id),
        %(by_key)s::uuid, %(address)s::text, %(request_id)s::text, %(reason)s
    FROM made
)
SELECT id FROM made
