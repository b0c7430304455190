-- The encrypted peppers of some clients.
SELECT client_id, sealed FROM peppers WHERE client_id = ANY (%(clients)s::text[])
