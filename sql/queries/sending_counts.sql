-- The number of messages that wait, by state, with the age in seconds of the oldest (for held ones, since acceptance), and for how
-- many seconds the one has been due that is longest due (0: none is).
SELECT
    state, count(*) AS messages, extract(epoch FROM now() - min(accepted_at))::double precision AS oldest,
    CASE WHEN state <> 'unanswered' THEN greatest(0, extract(epoch FROM now() - min(due_at)))::double precision ELSE 0 END AS overdue
FROM messages
WHERE waiting OR state = 'unanswered'
GROUP BY state
