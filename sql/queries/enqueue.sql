-- Adds a delivery for each event in a range of the log that belongs to a message of a client with a callback, and for earlier
-- events, however old, whose message becomes known in this range (`early`). Existing deliveries stay as they are. Of several
-- events for one step of a message only the first is delivered; a failed attempt is not delivered if another channel follows.
WITH page AS MATERIALIZED (
    SELECT
        e.id, e.xid, e.position, e.type, e.channel, e.source, e.client_id, e.message_id, e.recorded_at,
\ir interaction_of.sql
        AS interaction_id,
        CASE
            WHEN e.identity IS NOT NULL THEN true
            WHEN e.message_id IS NULL OR e.provider_message_id IS NULL THEN false
            -- A scalar subquery, which is a look-up by index whatever the planner believes of the table's size.
            ELSE (
                SELECT before.position FROM events AS before
                WHERE before.reference = e.reference AND before.message_id = e.message_id
                    AND before.provider_message_id IS NOT NULL AND (before.xid, before.position) < (e.xid, e.position)
                ORDER BY before.xid, before.position LIMIT 1
            ) IS NULL
        END AS ties
    FROM events AS e
    WHERE (e.xid, e.position) > (%(after_xid)s, %(after_position)s)
        AND (e.xid, e.position) <= (%(upto_xid)s, %(upto_position)s)
        AND e.client_id = ANY (%(clients)s::text[])
        AND e.reference IS NOT NULL
),
known AS MATERIALIZED (
    SELECT
        p.id, p.xid, p.position, p.type, p.channel, p.source, p.client_id, p.recorded_at, p.interaction_id, p.ties,
        coalesce(
            p.message_id,
            (SELECT i.message_id FROM interactions AS i WHERE i.id = p.interaction_id AND i.client_id = p.client_id)
        ) AS message_id,
        ARRAY(
            SELECT l.reference FROM interaction_links AS l
            WHERE l.interaction_id = p.interaction_id AND l.client_id = p.client_id
        ) || p.interaction_id AS called
    FROM page AS p
),
deliverable AS (
    SELECT id, xid, position, type, channel, source, client_id, recorded_at, message_id, called, false AS early FROM known
    UNION
    SELECT
        early.id, early.xid, early.position, early.type, early.channel, early.source, early.client_id, early.recorded_at,
        k.message_id, k.called, true
    FROM known AS k
    CROSS JOIN LATERAL unnest(k.called) AS r (reference)
    CROSS JOIN LATERAL (
        SELECT e.*
        FROM events AS e
        WHERE e.reference = r.reference AND e.client_id = k.client_id AND e.message_id IS NULL
            AND (e.xid, e.position) <= (%(after_xid)s, %(after_position)s)
        OFFSET 0
    ) AS early
    WHERE k.ties
)
INSERT INTO deliveries (event_id, xid, position, client_id, message_id, recorded_at, owed_at, due_at)
SELECT DISTINCT ON (t.client_id, t.id)
    t.id, t.xid, t.position, t.client_id, t.message_id, t.recorded_at, CASE WHEN t.early THEN now() END,
    -- Due no earlier than a delivery that waits before it, unless that one is being tried: recording its outcome might
    -- not see this row.
    coalesce(
        (
            SELECT d.due_at FROM deliveries AS d
            WHERE d.client_id = t.client_id AND d.message_id = t.message_id AND d.state = 'waiting' AND NOT d.taken
            ORDER BY d.xid DESC, d.position DESC LIMIT 1
        ),
        now()
    )
FROM deliverable AS t
WHERE t.message_id IS NOT NULL
    AND (SELECT c.types = '{}' OR t.type = ANY (c.types) FROM callbacks AS c WHERE c.client_id = t.client_id)
    AND CASE
        -- The same event on another channel is another step.
        WHEN t.type IN (
            'MessageRequested', 'MessageQueued', 'UserMessageSent', 'MessageDelivered', 'MessageRead', 'MessageExpired',
            'MessageCancelled'
        ) THEN (
            SELECT e.position
            FROM unnest(t.called) AS r (reference)
            CROSS JOIN LATERAL (
                SELECT e.position FROM events AS e
                WHERE e.reference = r.reference AND e.client_id = t.client_id AND e.type = t.type
                    AND coalesce(e.channel = t.channel, true) AND (e.xid, e.position) < (t.xid, t.position)
                LIMIT 1
            ) AS e
            LIMIT 1
        ) IS NULL
        WHEN t.type IN ('MessageFailed', 'MessageBounced', 'MessageRejected') AND t.source <> 'threadline' THEN (
            SELECT m.id FROM messages AS m
            WHERE m.id = message_reference(t.client_id, t.message_id)
                AND (t.channel = ANY (m.tried) OR (m.state = 'watched' AND coalesce(t.channel = m.channel, true)))
        ) IS NULL
        ELSE true
    END
ORDER BY t.client_id, t.id, t.message_id
ON CONFLICT (client_id, event_id) DO NOTHING
RETURNING event_id
