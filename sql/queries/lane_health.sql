-- Notes how calls by accounts went: one that passes closes the circuit, failures in a row open it, and a provider that asks
-- for a pause gets it.
UPDATE lanes AS l SET
    failures = CASE WHEN given.passed THEN 0 ELSE l.failures + given.failed END,
    open_until = CASE
        WHEN given.pause IS NOT NULL
            THEN greatest(l.open_until, now() + make_interval(secs => given.pause))
        WHEN given.passed THEN NULL
        WHEN l.failures + given.failed >= %(trouble)s
            THEN now() + make_interval(
                secs => least(%(longest)s, 2.0 ^ least(l.failures + given.failed - %(trouble)s, 20))
            )
        ELSE l.open_until
    END,
    trouble = CASE WHEN given.passed THEN NULL ELSE coalesce(given.trouble, l.trouble) END
FROM (
    SELECT
        (r ->> 0)::uuid AS id, (r ->> 1)::boolean AS passed, (r ->> 2)::integer AS failed,
        (r ->> 3)::double precision AS pause, r ->> 4 AS trouble
    FROM jsonb_array_elements(%(lanes)s) AS each (r)
    ORDER BY 1
) AS given
WHERE l.id = given.id
