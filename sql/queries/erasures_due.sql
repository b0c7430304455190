-- The erasures that are under way, the oldest first, and those last that had to wait.
SELECT id FROM erasures WHERE state <> 'completed' ORDER BY waits IS NOT NULL, requested_at, id LIMIT %(limit)s
