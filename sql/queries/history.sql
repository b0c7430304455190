-- An interaction's events, in the order of the log.
SELECT
    position, id, type, client_id, channel, direction, source, source_event_id, provider, provider_message_id,
    message_id, handle_kind, handle_value, error, occurred_at, received_at, recorded_at, payload, schema_version,
    webhook_id, webhook_block
FROM events
WHERE client_id = %(client_id)s AND reference = ANY (ARRAY(
    SELECT reference FROM interaction_links WHERE interaction_id = %(id)s AND client_id = %(client_id)s
    UNION
    SELECT %(id)s::uuid
))
ORDER BY xid, position
