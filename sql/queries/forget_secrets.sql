-- Removes a client's secrets that sign no more, all but the newest, by which the next one's number is known.
DELETE FROM callback_secrets AS s
WHERE s.client_id = %(client_id)s AND s.expires_at < now()
    AND s.version < (SELECT max(n.version) FROM callback_secrets AS n WHERE n.client_id = s.client_id)
