-- Joins what the barred interactions hold into those that they are linked to.
WITH
\ir pairs.sql
,
\ir losers.sql
,
facts AS (
    SELECT
        l.interaction_id AS id, i.client_id, i.channel, i.direction, i.provider, i.provider_message_id, i.message_id,
        i.user_id, i.address, i.content, i.failure, i.setback, i."timestamp", i.requested_at, i.held_at, i.queued_at,
        i.sent_at, i.delayed_at, i.delivered_at, i.failed_at, i.bounced_at, i.rejected_at, i.cancelled_at,
        i.expired_at, i.read_at, i.opened_at, i.clicked_at, i.complained_at, i.unsubscribed_at, i.subscribed_at,
        i.received_at, i.started_at, i.ended_at, i.recorded_at, i.processing_at, i.completed_at, i.failed_by, i.reached_by,
        i.deferred_by, i.given_up, i.last_change
    FROM losers AS l
    JOIN interactions AS i ON (i.id, i.client_id) = (l.reference, l.client_id)
    WHERE i.superseded AND i."timestamp" IS NOT NULL
),
\ir fold.sql
SELECT
    (SELECT count(*) FROM projected) AS moved,
    CASE WHEN (SELECT count(*) FROM projected) <> (SELECT count(*) FROM folded) THEN superseded_meanwhile() END
