-- Keeps others from changing a callback's secrets until the transaction ends.
SELECT client_id FROM callbacks WHERE client_id = %(client_id)s FOR UPDATE
