-- An interaction's events, in the order of the log. A repeated event that differs only by its receipt is left out.
WITH versions AS MATERIALIZED (
    SELECT e.*,
\ir content_digest.sql
        AS digest
    FROM events AS e
    WHERE e.client_id = %(client_id)s AND e.reference = ANY (ARRAY(
        SELECT reference FROM interaction_links WHERE interaction_id = %(id)s AND client_id = %(client_id)s
        UNION
        SELECT %(id)s::uuid
    ))
)
SELECT
    v.position, v.id, v.type, v.client_id, v.channel, v.direction, v.source, v.source_event_id, v.provider,
    v.provider_message_id, v.message_id, h.kind AS handle_kind, h.sealed AS handle_value,
    v.error, v.occurred_at, v.received_at, v.recorded_at, v.payload, v.schema_version, v.webhook_id, v.webhook_block
FROM versions AS v
LEFT JOIN handles AS h ON h.id = v.handle_id
WHERE v.identity IS NULL OR NOT EXISTS (SELECT FROM versions AS f WHERE f.id = v.identity AND f.digest = v.digest)
ORDER BY v.xid, v.position
