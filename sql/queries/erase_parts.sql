-- The events that an erasure takes out of interactions that stay.
SELECT event_id, his FROM erased_parts WHERE erasure_id = %(id)s
