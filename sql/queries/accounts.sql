-- The accounts of a client, or of all clients, with their sealed settings.
SELECT client_id, name, version, adapter, source, url, trusted, sealed, key_id, created_at, changed_at
FROM accounts
WHERE client_id = coalesce(%(client_id)s::text, client_id)
ORDER BY client_id, name
