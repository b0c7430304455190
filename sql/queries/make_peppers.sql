-- Keeps the peppers and root keys of clients that have none. Returns those of all given clients that this statement can see.
WITH made AS (
    INSERT INTO peppers (client_id, sealed, root)
    SELECT given.client_id, given.sealed, given.root
    FROM unnest(%(clients)s::text[], %(sealed)s::bytea[], %(roots)s::bytea[]) AS given (client_id, sealed, root)
    ORDER BY given.client_id
    ON CONFLICT (client_id) DO NOTHING
    RETURNING client_id, sealed, root
)
SELECT client_id, sealed, root FROM made
UNION ALL
SELECT client_id, sealed, root FROM peppers WHERE client_id = ANY (%(clients)s::text[])
