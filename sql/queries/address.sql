-- Part of the queries that read interactions: the handle by which an interaction `i` reached its customer. The user id of a
-- service is given only where there is no other.
LEFT JOIN handles AS at ON at.id = coalesce(i.address_handle_id, i.user_handle_id)
