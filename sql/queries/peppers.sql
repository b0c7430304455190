-- The encrypted peppers and root keys of some clients.
SELECT client_id, sealed, root FROM peppers WHERE client_id = ANY (%(clients)s::text[])
