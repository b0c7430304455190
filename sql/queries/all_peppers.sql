-- The encrypted peppers and root keys of all clients.
SELECT client_id, sealed, root FROM peppers ORDER BY client_id
