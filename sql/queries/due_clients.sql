-- Clients for whom deliveries may be due (see `clients_due`), the longest waiting first, without those in the parameter.
SELECT h.client_id
FROM (
    SELECT client_id, due_at FROM clients_due
    WHERE due_at <= now() AND client_id <> ALL (%(but)s::text[])
    ORDER BY due_at LIMIT 16 * %(limit)s::bigint
) AS h
GROUP BY h.client_id
ORDER BY min(h.due_at)
LIMIT %(limit)s
