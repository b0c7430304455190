-- The clients for whom deliveries are due.
SELECT c.client_id
FROM callbacks AS c
WHERE c.disabled_at IS NULL AND (
    SELECT true FROM deliveries AS d
    WHERE d.client_id = c.client_id AND d.state = 'waiting' AND d.due_at <= now()
    LIMIT 1
)
