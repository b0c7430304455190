-- Writes which handles an erasure is about, and what their customer has of each store. A later statement sets the fence.
WITH theirs AS MATERIALIZED (
\ir erased_handles.sql
),
fenced AS (
    UPDATE erasures AS e SET
        handles = ARRAY(SELECT t.id FROM theirs AS t WHERE NOT t.shared AND t.erased_at IS NULL ORDER BY t.id),
        kept = ARRAY(SELECT t.id FROM theirs AS t WHERE t.shared ORDER BY t.id),
        suppressed = %(suppressed)s, fence_xid = pg_current_xact_id()::text::bigint
    WHERE e.id = %(id)s AND e.state = 'requested'
    RETURNING e.id, e.handles, e.client_id, e.customer_id
)
SELECT id, handles, client_id, customer_id FROM fenced
