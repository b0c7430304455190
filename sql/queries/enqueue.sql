-- A delivery for each event of a stretch of the log that belongs to a message of a client with a callback, and for those
-- events that came, within a day, before anyone knew which message they belong to. What there is already stays as it is.
WITH page AS MATERIALIZED (
    SELECT
        e.id, e.xid, e.position, e.type, e.client_id, e.message_id, e.provider_message_id, e.recorded_at,
\ir interaction_of.sql
        AS interaction_id
    FROM events AS e
    WHERE (e.xid, e.position) > (%(after_xid)s, %(after_position)s)
        AND (e.xid, e.position) <= (%(upto_xid)s, %(upto_position)s)
        AND e.client_id = ANY (%(clients)s::text[])
        AND e.reference IS NOT NULL
),
told AS (
    SELECT
        p.id, p.xid, p.position, p.type, p.client_id, p.recorded_at,
        coalesce(
            p.message_id,
            (SELECT i.message_id FROM interactions AS i WHERE i.id = p.interaction_id AND i.client_id = p.client_id)
        ) AS message_id
    FROM page AS p
    UNION
    SELECT early.id, early.xid, early.position, early.type, early.client_id, early.recorded_at, p.message_id
    FROM page AS p
    -- Look-ups by index, whatever the planner believes of the tables' sizes.
    CROSS JOIN LATERAL unnest(ARRAY(
        SELECT l.reference FROM interaction_links AS l
        WHERE l.interaction_id = p.interaction_id AND l.client_id = p.client_id
    )) AS r (reference)
    CROSS JOIN LATERAL (
        SELECT e.id, e.xid, e.position, e.type, e.client_id, e.recorded_at
        FROM events AS e
        WHERE e.reference = r.reference AND e.client_id = p.client_id AND e.message_id IS NULL
            AND (e.xid, e.position) <= (%(after_xid)s, %(after_position)s)
            AND e.recorded_at > now() - interval '1 day'
        OFFSET 0
    ) AS early
    WHERE p.message_id IS NOT NULL AND p.provider_message_id IS NOT NULL
)
INSERT INTO deliveries (event_id, xid, position, client_id, message_id, recorded_at, due_at)
SELECT DISTINCT ON (t.client_id, t.id)
    t.id, t.xid, t.position, t.client_id, t.message_id, t.recorded_at,
    -- What waits behind an earlier one is not due before that, unless that is being tried: its outcome may not see this one.
    coalesce(
        (
            SELECT d.due_at FROM deliveries AS d
            WHERE d.client_id = t.client_id AND d.message_id = t.message_id AND d.state = 'waiting' AND NOT d.taken
            ORDER BY d.xid DESC, d.position DESC LIMIT 1
        ),
        now()
    )
FROM told AS t
WHERE t.message_id IS NOT NULL
    AND (SELECT c.types = '{}' OR t.type = ANY (c.types) FROM callbacks AS c WHERE c.client_id = t.client_id)
ORDER BY t.client_id, t.id, t.message_id
ON CONFLICT (client_id, event_id) DO NOTHING
RETURNING event_id
