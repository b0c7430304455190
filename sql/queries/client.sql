-- A client's current configuration: its highest version.
SELECT client_id, version, document, created_at, actor
FROM clients
WHERE client_id = %(client_id)s
ORDER BY version DESC
LIMIT 1
