-- Writes keys of hours that have none, and returns what the table has of this hour and those after it, with its time; of what others
-- write at the same moment, the next call. A row without an id has the time alone.
WITH made AS (
    INSERT INTO hour_keys (id, purpose, hour, sealed)
    SELECT given.id, given.purpose, given.hour, given.sealed
    FROM unnest(%(ids)s::uuid[], %(purposes)s::text[], %(hours)s::timestamptz[], %(sealed)s::bytea[])
        AS given (id, purpose, hour, sealed)
    ORDER BY given.purpose, given.hour
    ON CONFLICT DO NOTHING
    RETURNING id, purpose, hour, sealed
)
SELECT clock_timestamp() AS now, k.id, k.purpose, k.hour, k.sealed
FROM (VALUES (1)) AS one
LEFT JOIN (
    SELECT id, purpose, hour, sealed FROM made
    UNION ALL
    SELECT id, purpose, hour, sealed FROM hour_keys
    WHERE purpose = ANY (%(of)s::text[]) AND hour >= date_trunc('hour', clock_timestamp(), 'UTC')
) AS k ON true
