-- The versions of a client's configuration, newest first.
SELECT version, document, created_at, actor
FROM clients
WHERE client_id = %(client_id)s AND version < coalesce(%(before)s::integer, 2147483647)
ORDER BY version DESC
LIMIT %(limit)s
