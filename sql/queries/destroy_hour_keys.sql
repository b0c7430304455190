-- Destroys some keys of raw records whose purpose has an age: those of hours that ended so long ago. A key of dead letters stays
-- as long as any of its hour does, by an hour more on both sides, as clocks differ. Returns their purposes.
UPDATE hour_keys AS k SET sealed = NULL, destroyed_at = now()
WHERE k.id = ANY (ARRAY(
    SELECT o.id
    FROM unnest(%(purposes)s::text[], %(ages)s::interval[]) AS given (purpose, age)
    JOIN hour_keys AS o ON o.purpose = given.purpose
        AND o.sealed IS NOT NULL AND o.hour < now() - given.age - interval '1 hour'
        AND (o.needed_at IS NULL OR o.needed_at < now() - given.age)
    WHERE given.purpose <> 'dead' OR NOT EXISTS (
        SELECT FROM dead_letters AS d
        WHERE d.sealed_reason IS NOT NULL
            AND d.recorded_at >= o.hour - interval '1 hour' AND d.recorded_at < o.hour + interval '2 hours'
    )
    ORDER BY o.id
    LIMIT %(limit)s
    FOR UPDATE OF o SKIP LOCKED
))
RETURNING k.purpose
