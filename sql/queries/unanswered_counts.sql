-- How many messages of each client wait for somebody to decide about them.
SELECT client_id, count(*) AS messages
FROM messages
WHERE state = 'unanswered'
GROUP BY client_id
ORDER BY client_id
