-- Records the outcomes of tries, unless the delivery was claimed or replayed since. The deliveries behind one become due with it,
-- or now if it no longer waits: a due delivery that cannot be claimed yet would be looked at again and again.
WITH given AS MATERIALIZED (
    SELECT
        (r ->> 0)::uuid AS event_id, (r ->> 1)::timestamptz AS due_at, r ->> 2 AS state,
        make_interval(secs => (r ->> 3)::double precision) AS pause, (r ->> 4)::smallint AS status, r ->> 5 AS error,
        (r ->> 6)::integer AS secret_version
    FROM jsonb_array_elements(%(outcomes)s) AS each (r)
),
settled AS (
    UPDATE deliveries AS d SET
        state = given.state, due_at = now() + given.pause, taken = false, last_status = given.status,
        last_error = given.error, secret_version = given.secret_version
    FROM given
    WHERE d.client_id = %(client_id)s AND d.event_id = given.event_id
        AND d.event_id = ANY (ARRAY(SELECT event_id FROM given)) AND d.due_at = given.due_at
    RETURNING d.message_id, d.xid, d.position, d.state, d.due_at
)
UPDATE deliveries AS d SET due_at = CASE WHEN s.state = 'waiting' THEN s.due_at ELSE now() END
FROM settled AS s
WHERE d.client_id = %(client_id)s AND d.message_id = s.message_id AND d.state = 'waiting'
    AND d.message_id = ANY (ARRAY(SELECT message_id FROM settled))
    AND (d.xid, d.position) > (s.xid, s.position)
    -- Also one that is due already: the update makes a trigger write the hint that it can be claimed now.
    AND (s.state <> 'waiting' OR d.due_at < s.due_at)
