-- Part of `append`, `project` and `move`: joins `facts` into the interactions. Every column is joined by a function that
-- is commutative, associative and idempotent (the earliest time, the least text, the union of sets), so that no order matters.
folded AS MATERIALIZED (
    SELECT
        id, client_id,
        min(channel) AS channel,
        min(direction) AS direction,
        min(provider) AS provider,
        min(provider_message_id) AS provider_message_id,
        min(message_id) AS message_id,
        min(user_id) AS user_id,
        min(address) AS address,
        content_join(content) AS content,
        min(failure::text COLLATE "C")::jsonb AS failure,
        min(setback::text COLLATE "C")::jsonb AS setback,
        min("timestamp") AS "timestamp",
        min(requested_at) AS requested_at,
        min(held_at) AS held_at,
        min(queued_at) AS queued_at,
        min(sent_at) AS sent_at,
        min(delayed_at) AS delayed_at,
        min(delivered_at) AS delivered_at,
        min(failed_at) AS failed_at,
        min(bounced_at) AS bounced_at,
        min(rejected_at) AS rejected_at,
        min(cancelled_at) AS cancelled_at,
        min(expired_at) AS expired_at,
        min(read_at) AS read_at,
        min(opened_at) AS opened_at,
        min(clicked_at) AS clicked_at,
        min(complained_at) AS complained_at,
        min(unsubscribed_at) AS unsubscribed_at,
        min(subscribed_at) AS subscribed_at,
        min(received_at) AS received_at,
        min(started_at) AS started_at,
        min(ended_at) AS ended_at,
        min(recorded_at) AS recorded_at,
        min(processing_at) AS processing_at,
        min(completed_at) AS completed_at,
        bit_or(failed_by) AS failed_by,
        bit_or(reached_by) AS reached_by,
        bit_or(deferred_by) AS deferred_by,
        bit_or(given_up) AS given_up,
        max(last_change) AS last_change
    FROM facts
    GROUP BY id, client_id
),
projected AS (
    INSERT INTO interactions AS i (
        id, client_id, channel, direction, provider, provider_message_id, message_id, user_id, address, content,
        failure, setback, "timestamp", requested_at, held_at, queued_at, sent_at, delayed_at, delivered_at, failed_at,
        bounced_at, rejected_at, cancelled_at, expired_at, read_at, opened_at, clicked_at, complained_at,
        unsubscribed_at, subscribed_at, received_at, started_at, ended_at, recorded_at, processing_at, completed_at,
        failed_by, reached_by, deferred_by, given_up, last_change
    )
    SELECT * FROM folded
    ORDER BY id, client_id
    ON CONFLICT (id, client_id) DO UPDATE SET
        channel = least(i.channel, excluded.channel),
        direction = least(i.direction, excluded.direction),
        provider = least(i.provider, excluded.provider),
        provider_message_id = least(i.provider_message_id, excluded.provider_message_id),
        message_id = least(i.message_id, excluded.message_id),
        user_id = least(i.user_id, excluded.user_id),
        address = least(i.address, excluded.address),
        content = CASE
            WHEN excluded.content IS NULL THEN i.content
            WHEN i.content IS NULL THEN excluded.content
            ELSE content_join(i.content, excluded.content)
        END,
        failure = CASE
            WHEN excluded.failure IS NULL THEN i.failure
            ELSE least(i.failure::text COLLATE "C", excluded.failure::text)::jsonb
        END,
        setback = CASE
            WHEN excluded.setback IS NULL THEN i.setback
            ELSE least(i.setback::text COLLATE "C", excluded.setback::text)::jsonb
        END,
        "timestamp" = least(i."timestamp", excluded."timestamp"),
        requested_at = least(i.requested_at, excluded.requested_at),
        held_at = least(i.held_at, excluded.held_at),
        queued_at = least(i.queued_at, excluded.queued_at),
        sent_at = least(i.sent_at, excluded.sent_at),
        delayed_at = least(i.delayed_at, excluded.delayed_at),
        delivered_at = least(i.delivered_at, excluded.delivered_at),
        failed_at = least(i.failed_at, excluded.failed_at),
        bounced_at = least(i.bounced_at, excluded.bounced_at),
        rejected_at = least(i.rejected_at, excluded.rejected_at),
        cancelled_at = least(i.cancelled_at, excluded.cancelled_at),
        expired_at = least(i.expired_at, excluded.expired_at),
        read_at = least(i.read_at, excluded.read_at),
        opened_at = least(i.opened_at, excluded.opened_at),
        clicked_at = least(i.clicked_at, excluded.clicked_at),
        complained_at = least(i.complained_at, excluded.complained_at),
        unsubscribed_at = least(i.unsubscribed_at, excluded.unsubscribed_at),
        subscribed_at = least(i.subscribed_at, excluded.subscribed_at),
        received_at = least(i.received_at, excluded.received_at),
        started_at = least(i.started_at, excluded.started_at),
        ended_at = least(i.ended_at, excluded.ended_at),
        recorded_at = least(i.recorded_at, excluded.recorded_at),
        processing_at = least(i.processing_at, excluded.processing_at),
        completed_at = least(i.completed_at, excluded.completed_at),
        failed_by = i.failed_by | excluded.failed_by,
        reached_by = i.reached_by | excluded.reached_by,
        deferred_by = i.deferred_by | excluded.deferred_by,
        given_up = i.given_up | excluded.given_up,
        last_change = greatest(i.last_change, excluded.last_change)
    WHERE NOT i.superseded
    RETURNING 1
)
