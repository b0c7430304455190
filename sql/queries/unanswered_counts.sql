-- The number of unanswered messages of each client, which wait for a person's decision.
SELECT client_id, count(*) AS messages
FROM messages
WHERE state = 'unanswered'
GROUP BY client_id
ORDER BY client_id
