-- Records how calls by accounts went: a success closes the circuit breaker, failures in a row open it, and a pause that the
-- provider asks for is kept. The outcome of a call that began before the last failure was recorded is ignored: concurrent failures
-- count once, and a concurrent success does not end the pause. A fault of the account itself opens the breaker at once.
WITH given AS MATERIALIZED (
    SELECT
        (r ->> 0)::uuid AS id, (r ->> 1)::boolean AS passed, (r ->> 2)::boolean AS failed, (r ->> 3)::boolean AS fault,
        (r ->> 4)::double precision AS pause, r ->> 5 AS trouble, (r ->> 6)::double precision AS age,
        (r ->> 7)::boolean AS probe
    FROM jsonb_array_elements(%(lanes)s) AS each (r)
),
was AS MATERIALIZED (
    -- Locked, so that of two concurrent workers the second sees what the first one recorded.
    SELECT id, failed_at FROM lanes WHERE id = ANY (ARRAY(SELECT id FROM given)) ORDER BY id FOR UPDATE
),
news AS MATERIALIZED (
    SELECT
        was.id, clock.ahead,
        clock.ahead OR was.failed_at IS NULL OR now() - make_interval(secs => given.age) > was.failed_at AS fresh
    FROM was
    JOIN given ON given.id = was.id
    -- A failure in the future was recorded before the database's clock was set back.
    CROSS JOIN LATERAL (SELECT coalesce(was.failed_at > now() + interval '5 s', false) AS ahead) AS clock
)
UPDATE lanes AS l SET
    failures = CASE
        WHEN NOT news.fresh THEN l.failures
        WHEN given.passed THEN 0
        WHEN given.fault THEN greatest(l.failures + 1, %(trouble)s)
        WHEN given.failed THEN l.failures + 1
        ELSE l.failures
    END,
    open_until = CASE
        WHEN given.pause IS NOT NULL
            THEN greatest(CASE WHEN news.ahead THEN NULL ELSE l.open_until END, now() + make_interval(secs => given.pause))
        WHEN NOT news.fresh THEN l.open_until
        WHEN given.passed THEN NULL
        WHEN given.failed AND l.failures + 1 >= %(trouble)s
            THEN now() + make_interval(secs => least(%(longest)s, 2.0 ^ least(l.failures + 1 - %(trouble)s, 20)))
        ELSE l.open_until
    END,
    failed_at = CASE
        WHEN given.pause IS NOT NULL OR (news.fresh AND given.failed) THEN now()
        WHEN news.ahead THEN NULL
        ELSE l.failed_at
    END,
    probing_until = CASE WHEN given.probe THEN NULL ELSE l.probing_until END,
    trouble = CASE WHEN news.fresh AND given.passed THEN NULL ELSE coalesce(given.trouble, l.trouble) END
FROM given
JOIN news ON news.id = given.id
WHERE l.id = given.id
