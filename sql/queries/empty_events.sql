-- Empties the events without a handle of an erasure's interactions; returns how many.
SELECT empty_events(%(id)s) AS events
