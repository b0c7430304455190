-- Part of the queries that read interactions: the columns of `interactions AS i` that readers get, with its address
-- `at` (see `address`).
i.id, i.client_id, i.channel, i.direction, i.provider, i.provider_message_id, i.message_id,
i.content, CASE WHEN i.changes IS NOT NULL THEN own_changes(i.changes, i.direction, i.handle_id) END AS changes,
-- The failure of a channel that was given up for the next one is not the message's failure.
CASE WHEN i.given_up = 0 OR i.failed_by & ~i.given_up <> 0 THEN coalesce(i.failure, i.setback) ELSE i.setback END AS error,
i.delivery, i.status, i.contradiction, i."timestamp",
\each i.{column},
i.handle_id,
at.kind AS address_kind, at.sealed AS address_value, at.id AS address_id, at.salt AS address_salt
