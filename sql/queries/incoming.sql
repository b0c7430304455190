-- Part of `append` and `record`: the events of a batch with their identities (`incoming`), and those of them that are new,
-- which it inserts (`claimed`: their ids; `fresh`: the events). A repeated event that differs has a `variant` (see `differing`)
-- and an id of its own; if it is `joined`, it belongs to the same interaction as the first version. Events come as arrays,
-- which are read in half the time of objects (see `sql/parameters.py`), and name their handles by place, which is read faster than an
-- id. Ids are sorted, so that two writers of the same events
-- wait for each other in one order and cannot deadlock. An event about an interaction that an erasure removed (`late`) is kept
-- without what ties it to that one: of an opt-out or opt-in the person stays, of any other the fact.
WITH incoming AS MATERIALIZED (
    SELECT
        nextval('events_position_seq') AS position, event_id(r ->> 13, r ->> 3, r ->> 4) AS identity, r ->> 0 AS type,
        r ->> 1 AS channel, r ->> 2 AS direction, r ->> 3 AS source, r ->> 4 AS source_event_id, r ->> 5 AS provider,
        r ->> 6 AS provider_message_id,
\ir message_id.sql
        AS message_id, r ->> 8 AS handle_kind, (%(handles)s::uuid[])[(r ->> 9)::integer] AS handle_id,
        (%(handles)s::uuid[])[(r ->> 18)::integer] AS related_id,
        nullif(r -> 10, 'null') AS error, (r ->> 11)::timestamptz AS occurred_at, r -> 12 AS payload,
        r ->> 13 AS client_id, (r ->> 14)::timestamptz AS received_at, (r ->> 15)::uuid AS webhook_id,
        (r ->> 17)::boolean AND r -> 9 <> 'null' AS per_recipient, r ->> 19 AS variant, (r ->> 20)::boolean AS joined,
        r ->> 21 AS trace, place
    FROM jsonb_array_elements(%(events)s) WITH ORDINALITY AS given (r, place)
),
claimed AS MATERIALIZED (
    INSERT INTO event_ids (id, identity, xid, position, content)
    SELECT
        own.id, CASE WHEN joined THEN identity END, (SELECT pg_current_xact_id()::text::bigint), position,
        event_content(
            type, channel, direction, provider, provider_message_id, message_id, handle_id, error, occurred_at, payload
        )
    FROM incoming
    CROSS JOIN LATERAL (
        SELECT CASE WHEN variant IS NULL THEN identity ELSE event_variant(identity, variant) END AS id
    ) AS own
    ORDER BY own.id, received_at, position
    ON CONFLICT (id) DO NOTHING
    RETURNING id, xid, position
),
fresh AS (
    INSERT INTO events (
        position, xid, id, identity, type, client_id, channel, direction, source, source_event_id, provider,
        provider_message_id, message_id, handle_kind, error, occurred_at, received_at, webhook_id, webhook_block,
        payload, handle_id, related_id, reference, trace
    )
    SELECT
        position, xid, id, CASE WHEN joined THEN identity END, type, client_id,
        channel, direction, source, CASE WHEN late THEN 'late ' || id ELSE source_event_id END, provider,
        CASE WHEN NOT late THEN provider_message_id END, CASE WHEN NOT late THEN message_id END,
        CASE WHEN kept THEN handle_kind END,
        CASE WHEN kept OR error IS NULL THEN error ELSE jsonb_build_object('reason', error -> 'reason') END,
        occurred_at, received_at, CASE WHEN NOT late THEN webhook_id END,
        CASE
            WHEN webhook_id IS NULL OR late THEN NULL
            WHEN %(kept)s THEN (SELECT currval('raw_webhooks_block_seq'))
            ELSE %(block)s::bigint
        END,
        CASE WHEN kept AND late THEN payload - 'providerMessageId' - 'sourceEventId' WHEN kept THEN payload ELSE '{}' END, CASE WHEN kept THEN handle_id END, related_id,
        CASE WHEN NOT late THEN named.reference END, trace
    FROM incoming
    JOIN claimed USING (position)
    CROSS JOIN LATERAL (
        SELECT CASE
            WHEN provider_message_id IS NOT NULL AND per_recipient
                THEN recipient_reference(client_id, coalesce(provider, source), provider_message_id, handle_id)
            WHEN provider_message_id IS NOT NULL
                THEN provider_reference(client_id, coalesce(provider, source), provider_message_id)
            WHEN message_id IS NOT NULL THEN message_reference(client_id, message_id)
            WHEN type IN ('InteractionProcessing', 'InteractionCompleted') THEN (payload ->> 'interactionId')::uuid
            WHEN starts_with(type, 'Message') OR starts_with(type, 'Call') OR type = 'UserMessageSent'
                THEN CASE WHEN joined THEN identity ELSE id END
        END AS reference
    ) AS named
    CROSS JOIN LATERAL (
        SELECT
\ir late.sql
        AS late
        -- OFFSET 0: looked up once, not wherever it is used.
        OFFSET 0
    ) AS about
    CROSS JOIN LATERAL (SELECT NOT late OR starts_with(type, 'Recipient') AS kept) AS of_it
    -- What `facts` reads. All columns would cost 1 % of the statement.
    RETURNING
        position, xid, occurred_at, received_at, id, identity, reference, handle_id, type, client_id, channel, direction, source,
        provider, provider_message_id, message_id, handle_kind, error, payload
)
