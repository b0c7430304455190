-- Part of the queries that read interactions: the handle by which an interaction `i` reached its customer. The user id of a
-- service is given only where there is no other.
LEFT JOIN handles AS at ON at.id = CASE WHEN i.address_handle_id IS NULL THEN i.user_handle_id ELSE i.address_handle_id END
