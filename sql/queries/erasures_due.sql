-- The erasures that are under way, the oldest first.
SELECT id FROM erasures WHERE state <> 'completed' ORDER BY requested_at, id LIMIT %(limit)s
