-- Notes that an erasure has taken some interactions apart, and how many events in them name nobody.
WITH done AS (
    UPDATE erased_parts SET interaction_id = NULL
    WHERE erasure_id = %(id)s AND interaction_id = ANY (%(ids)s::uuid[])
    RETURNING his
)
UPDATE erasures SET shared = shared + cardinality(%(ids)s::uuid[]), nobodys = nobodys + (SELECT count(*) FROM done WHERE NOT his)
WHERE id = %(id)s
