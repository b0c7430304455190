-- Replaces a client's pepper and root key as they are encrypted, unless they were replaced since.
UPDATE peppers SET sealed = %(again)s, root = %(root_again)s
WHERE client_id = %(client_id)s AND sealed = %(sealed)s AND root = %(root)s
RETURNING client_id
