-- Empties some events of an erasure's interactions; returns how many.
SELECT empty_events(%(id)s, %(limit)s) AS events
