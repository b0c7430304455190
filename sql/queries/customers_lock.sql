-- Serialises what joins handles to customers, for each client, since each transaction must see the links of the one before.
-- The clients of a batch are locked in one order, so that two batches cannot deadlock.
SELECT pg_advisory_xact_lock(29799, key)
FROM (
    SELECT DISTINCT hashtext(client_id) AS key
    FROM (
\ir chunk.sql
        AND type IN
\ir relating_types.sql

    ) AS stated
    ORDER BY key
    OFFSET 0
) AS keys
