-- The encrypted peppers of all clients.
SELECT client_id, sealed FROM peppers ORDER BY client_id
