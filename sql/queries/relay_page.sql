-- The events after a place and below the horizon, in the log's order, each with its interaction, and the interaction's
-- customer and message. OFFSET keeps the laterals look-ups by index: of a page whose size is a parameter the planner expects a tenth of
-- the log, and would read all interactions and handles for each.
WITH page AS MATERIALIZED (
    SELECT
        e.*,
\ir interaction_of.sql
        AS interaction_id
    FROM events AS e
    WHERE (e.xid, e.position) > (%(xid)s, %(position)s)
        AND e.xid < %(horizon)s
    ORDER BY e.xid, e.position
    LIMIT %(limit)s
)
SELECT
    p.xid, p.position, p.id, p.type, p.client_id, p.channel, p.direction, p.source, p.source_event_id, p.provider,
    p.provider_message_id, coalesce(p.message_id, i.message_id) AS message_id, h.kind AS handle_kind, h.sealed AS handle_value, p.error,
    p.occurred_at, p.received_at, p.recorded_at,
    p.webhook_id, p.payload, r.kind AS related_kind, r.sealed AS related_value, p.trace, p.interaction_id,
    coalesce(
        (
            SELECT a.customer_id FROM assignments AS a
            WHERE a.handle_id = i.handle_id AND i."timestamp" >= a.valid_from AND i."timestamp" < a.valid_to
        ),
        (
            SELECT a.customer_id FROM assignments AS a
            WHERE a.handle_id = p.handle_id
                AND least(coalesce(p.occurred_at, p.received_at), p.received_at) >= a.valid_from
                AND least(coalesce(p.occurred_at, p.received_at), p.received_at) < a.valid_to
        ),
        -- Of a decision: the customer of those that moved.
        (SELECT a.customer_id FROM customer_changes AS t JOIN assignments AS a ON a.id = t.ones[1] WHERE t.event_id = p.id)
    ) AS customer_id
FROM page AS p
LEFT JOIN LATERAL (
    SELECT o.message_id, o.handle_id, o."timestamp" FROM interactions AS o WHERE o.id = p.interaction_id AND o.client_id = p.client_id
    OFFSET 0
) AS i ON true
LEFT JOIN LATERAL (SELECT o.kind, o.sealed FROM handles AS o WHERE o.id = p.handle_id OFFSET 0) AS h ON true
LEFT JOIN LATERAL (SELECT o.kind, o.sealed FROM handles AS o WHERE o.id = p.related_id OFFSET 0) AS r ON true
ORDER BY p.xid, p.position
