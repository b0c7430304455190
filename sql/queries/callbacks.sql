-- All callbacks, each with the number of deliveries that wait for it.
SELECT
    c.client_id, c.url, c.types, c.concurrency, c.created_at, c.failing_since, c.disabled_at, c.disabled_reason,
    (SELECT count(*) FROM deliveries AS d WHERE d.client_id = c.client_id AND d.state = 'waiting') AS waiting
FROM callbacks AS c
ORDER BY c.client_id
