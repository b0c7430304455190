-- The events of some interactions of a client, with what an export shows of them.
WITH one AS MATERIALIZED (SELECT %(client_id)s::text COLLATE "C" AS client_id, NULL::uuid AS erasure_id),
\ir told.sql
SELECT
\ir told_columns.sql
    , e.client_id, e.position, e.id, e.type, e.channel, e.direction, e.source, e.source_event_id, e.provider, e.message_id, e.occurred_at,
    e.received_at, e.recorded_at, e.error, e.payload, e.webhook_id
FROM told AS e
ORDER BY e.interaction, at, e.id
