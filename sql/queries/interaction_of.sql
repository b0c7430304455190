-- Part of what reads events: the interaction of an event `e`, which is its reference's unless that was linked to another.
coalesce(
    (
        SELECT l.interaction_id FROM interaction_links AS l
        WHERE l.reference = e.reference AND l.client_id = e.client_id
    ),
    e.reference
)
