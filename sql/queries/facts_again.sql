-- Part of the statements that join interactions as they were folded: what `facts` has of an interaction `i`, for each handle `n.handle_id`
-- that it names.
        i.client_id, i.channel, i.direction, i.provider, i.provider_message_id, i.message_id,
        i.user_handle_id::text AS user_handle_id, i.address_handle_id::text AS address_handle_id, i.content, i.changes, i.failure, i.setback, i."timestamp",
\each i.{column},
        i.failed_by, i.reached_by, i.deferred_by, i.given_up, n.handle_id AS named,
        i.named IS NOT NULL AS apart, i.last_change
