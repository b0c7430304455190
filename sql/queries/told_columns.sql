-- Part of the statements that take interactions apart: what `sql.erased_parts.Told` has. `living`: its handle is not erased; `ours`: the
-- reference of our message that it names; `ties`: it has both ids of a message.
    e.interaction, e.owner, e.began, e.id AS event, coalesce(e.identity, e.id) AS identity, e.known_as AS reference, e.handle_id AS handle,
    (SELECT h.erased_at IS NULL FROM handles AS h WHERE h.id = e.handle_id) AS living,
    least(coalesce(e.occurred_at, e.received_at), e.received_at) AS at,
    CASE WHEN e.message_id IS NOT NULL THEN message_reference(e.client_id, e.message_id) END AS ours,
    e.provider_message_id IS NOT NULL AND e.message_id IS NOT NULL AS ties
