-- The number of messages that wait, by state, with the age in seconds of the oldest (for held ones, since acceptance).
SELECT state, count(*) AS messages, extract(epoch FROM now() - min(accepted_at))::double precision AS oldest
FROM messages
WHERE waiting OR state = 'unanswered'
GROUP BY state
