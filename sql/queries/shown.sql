-- Part of what reads interactions: the columns of `interactions AS i` that are told.
i.id, i.client_id, i.channel, i.direction, i.provider, i.provider_message_id, i.message_id, i.content,
CASE WHEN i.given_up = 0 OR i.failed_by & ~i.given_up <> 0 THEN coalesce(i.failure, i.setback) ELSE i.setback END AS error, i.delivery, i.status, i.contradiction, i."timestamp", i.handle_id,
split_part(coalesce(i.address, 'user_id' || E'\x1f' || i.user_id), E'\x1f', 1) AS address_kind,
coalesce(substr(i.address, strpos(i.address, E'\x1f') + 1), i.user_id) AS address_value,
i.requested_at, i.held_at, i.queued_at, i.sent_at, i.delayed_at, i.delivered_at, i.failed_at, i.bounced_at,
i.rejected_at, i.cancelled_at, i.expired_at, i.read_at, i.opened_at, i.clicked_at, i.complained_at, i.unsubscribed_at,
i.subscribed_at, i.received_at, i.started_at, i.ended_at, i.recorded_at, i.processing_at, i.completed_at
