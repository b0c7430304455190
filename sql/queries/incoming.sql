-- Part of `append` and `record`: the events as they came, each with its identity, and those among them that are new.
-- Sorted, so that two writers of the same events wait for each other in one order and cannot deadlock.
WITH incoming AS MATERIALIZED (
    SELECT nextval('events_position_seq') AS position, event_id(client_id, source, source_event_id) AS id, *
    FROM ROWS FROM (
        jsonb_to_recordset(%(events)s) AS (
            type text, channel text, direction text, source text, source_event_id text, provider text,
            provider_message_id text, message_id text, handle jsonb, error jsonb, occurred_at timestamptz, payload jsonb
        ),
        jsonb_to_recordset(%(doors)s) AS (client_id text, received_at timestamptz, webhook_id uuid)
    )
),
fresh AS (
    INSERT INTO events (
        position, xid, id, type, client_id, channel, direction, source, source_event_id, provider, provider_message_id,
        message_id, handle_kind, handle_value, error, occurred_at, received_at, webhook_id, webhook_block, payload,
        handle_id, reference
    )
    SELECT
        position, (SELECT pg_current_xact_id()::text::bigint), id, type, client_id, channel, direction, source,
        source_event_id, provider, provider_message_id, message_id, handle ->> 'kind', handle ->> 'value', error,
        occurred_at, received_at, webhook_id,
        CASE WHEN webhook_id IS NOT NULL AND %(kept)s THEN (SELECT currval('raw_webhooks_block_seq')) END, payload,
        handle_id(client_id, (handle ->> 'kind') || E'\x1f' || (handle ->> 'value')),
        CASE
            WHEN provider_message_id IS NOT NULL
                THEN provider_reference(client_id, coalesce(provider, source), provider_message_id)
            WHEN message_id IS NOT NULL THEN message_reference(client_id, message_id)
            WHEN type IN ('InteractionProcessing', 'InteractionCompleted') THEN (payload ->> 'interactionId')::uuid
            WHEN starts_with(type, 'Message') OR starts_with(type, 'Call') OR type = 'UserMessageSent' THEN id
        END
    FROM incoming
    ORDER BY id, received_at, position
    ON CONFLICT (id) DO NOTHING
    RETURNING *
)
