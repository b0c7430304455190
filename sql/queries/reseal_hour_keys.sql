-- Replaces keys of raw records as they are encrypted, unless they were destroyed or replaced since.
UPDATE hour_keys AS k SET sealed = given.again
FROM unnest(%(ids)s::uuid[], %(sealed)s::bytea[], %(again)s::bytea[]) AS given (id, sealed, again)
WHERE k.id = given.id AND k.sealed = given.sealed
RETURNING k.id
