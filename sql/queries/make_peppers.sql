-- Keeps the peppers of clients that have none. Returns those of all given clients that this statement can see.
WITH made AS (
    INSERT INTO peppers (client_id, sealed)
    SELECT given.client_id, given.sealed FROM unnest(%(clients)s::text[], %(sealed)s::bytea[]) AS given (client_id, sealed)
    ORDER BY given.client_id
    ON CONFLICT (client_id) DO NOTHING
    RETURNING client_id, sealed
)
SELECT client_id, sealed FROM made
UNION ALL
SELECT client_id, sealed FROM peppers WHERE client_id = ANY (%(clients)s::text[])
