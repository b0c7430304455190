-- Dead letters whose records are to be put on their topics again, but for some topics, the first asked for first, locked against
-- other workers.
SELECT id, topic, partition, "offset", replays, value, sealed_reason
FROM dead_letters
WHERE replay_due AND topic <> ALL (%(resting)s::text[])
ORDER BY replayed_at, id
LIMIT %(limit)s
FOR UPDATE SKIP LOCKED
