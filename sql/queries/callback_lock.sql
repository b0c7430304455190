-- Locks a callback's secrets against other changes until the transaction ends.
SELECT client_id FROM callbacks WHERE client_id = %(client_id)s FOR UPDATE
