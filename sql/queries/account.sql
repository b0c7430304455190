-- One account of a client, with its sealed settings.
SELECT client_id, name, version, adapter, source, url, trusted, sealed, key_id, created_at, changed_at
FROM accounts
WHERE client_id = %(client_id)s AND name = %(name)s
