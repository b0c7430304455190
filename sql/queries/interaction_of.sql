-- Part of the statements that read events: the id of the interaction of an event `e`, which is the event's reference unless
-- that was linked to another.
coalesce(
    (
        SELECT l.interaction_id FROM interaction_links AS l
        WHERE l.reference = e.reference AND l.client_id = e.client_id
    ),
    e.reference
)
