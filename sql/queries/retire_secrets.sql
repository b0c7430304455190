-- Sets when a client's present secrets expire.
UPDATE callback_secrets SET expires_at = now() + %(grace)s
WHERE client_id = %(client_id)s AND expires_at IS NULL
