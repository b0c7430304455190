-- Dead letters whose records are to be put on their topics again, the first asked for first, locked against other workers.
SELECT id, topic, replays, value
FROM dead_letters
WHERE replay_due
ORDER BY replayed_at, id
LIMIT %(limit)s
FOR UPDATE SKIP LOCKED
