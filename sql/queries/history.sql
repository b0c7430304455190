-- An interaction's events, in the order of the log. What was told again and differs by its receipt alone is left out: it is
-- no event of its own.
WITH told AS MATERIALIZED (
    SELECT e.*,
\ir said.sql
        AS said
    FROM events AS e
    WHERE e.client_id = %(client_id)s AND e.reference = ANY (ARRAY(
        SELECT reference FROM interaction_links WHERE interaction_id = %(id)s AND client_id = %(client_id)s
        UNION
        SELECT %(id)s::uuid
    ))
)
SELECT
    t.position, t.id, t.type, t.client_id, t.channel, t.direction, t.source, t.source_event_id, t.provider,
    t.provider_message_id, t.message_id, t.handle_kind, t.handle_value, t.error, t.occurred_at, t.received_at, t.recorded_at,
    t.payload, t.schema_version, t.webhook_id, t.webhook_block
FROM told AS t
WHERE t.identity IS NULL OR NOT EXISTS (SELECT FROM told AS f WHERE f.id = t.identity AND f.said = t.said)
ORDER BY t.xid, t.position
