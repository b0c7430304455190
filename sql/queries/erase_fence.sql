-- Writes which handles an erasure is about, and when its customer had those whose keys stay, until now at most. A later statement
-- sets the fence.
WITH theirs AS MATERIALIZED (
\ir erased_handles.sql
),
fenced AS (
    UPDATE erasures AS e SET
        handles = ARRAY(SELECT t.id FROM theirs AS t WHERE NOT t.shared AND t.erased_at IS NULL ORDER BY t.id),
        kept = CASE WHEN e.repeats IS NULL THEN ARRAY(SELECT t.id FROM theirs AS t WHERE t.shared ORDER BY t.id) ELSE e.kept END,
        suppressed = %(suppressed)s, fence_xid = pg_current_xact_id()::text::bigint
    WHERE e.id = %(id)s AND e.state = 'requested'
    RETURNING e.id, e.handles, e.kept, e.asked, e.repeats, e.client_id, e.customer_id
),
ended AS MATERIALIZED (SELECT clock_timestamp() AS at),
emptied AS (
    INSERT INTO erased_intervals (erasure_id, client_id, handle_id, valid_from, valid_to)
    -- A door's clock may be ahead of this one: what is there already is his.
    -- What was said at an address since it turned out to be many people's is nobody's of them.
    SELECT e.id, e.client_id, a.handle_id, a.valid_from, least(a.valid_to, CASE WHEN NOT EXISTS (
        SELECT FROM assignments AS o WHERE o.handle_id = a.handle_id AND o.id <> a.id
    ) THEN %(asked_at)s::timestamptz END, greatest(
        ended.at,
        (SELECT max(i."timestamp") FROM interactions AS i WHERE i.handle_id = a.handle_id AND i.client_id = e.client_id)
        + interval '1 microsecond',
        (
            SELECT max(least(coalesce(o.occurred_at, o.received_at), o.received_at)) FROM events AS o
            WHERE o.handle_id = a.handle_id AND o.reference IS NULL AND o.client_id = e.client_id
        ) + interval '1 microsecond'
    ))
    FROM fenced AS e
    CROSS JOIN ended
    JOIN (
\ir asked_assignments.sql
    ) AS a ON a.handle_id = ANY (e.kept) AND a.client_id = e.client_id
    WHERE e.repeats IS NULL AND a.valid_from < ended.at
)
SELECT id, handles, client_id, customer_id FROM fenced
