-- Removes a client's expired secrets, except the newest: its number determines the next one's.
DELETE FROM callback_secrets AS s
WHERE s.client_id = %(client_id)s AND s.expires_at < now()
    AND s.version < (SELECT max(n.version) FROM callback_secrets AS n WHERE n.client_id = s.client_id)
