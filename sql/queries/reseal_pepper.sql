-- Replaces a client's pepper as it is encrypted, unless that was replaced since.
UPDATE peppers SET sealed = %(again)s WHERE client_id = %(client_id)s AND sealed = %(sealed)s
RETURNING client_id
