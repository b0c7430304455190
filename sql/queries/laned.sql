-- Part of `accept` and `set_lanes`: lanes as their accounts are configured now; buckets and circuits stay as they are.
laned AS (
    INSERT INTO lanes AS l (id, client_id, account, rate, tokens, burst, concurrency)
    SELECT
        lane_id(r ->> 0, r ->> 1), r ->> 0, r ->> 1, (r ->> 2)::double precision, (r ->> 3)::integer,
        (r ->> 3)::integer, (r ->> 4)::integer
    FROM jsonb_array_elements(%(lanes)s) AS given (r)
    ORDER BY 1
    ON CONFLICT (id) DO UPDATE SET rate = excluded.rate, burst = excluded.burst, concurrency = excluded.concurrency
    WHERE (l.rate, l.burst, l.concurrency) IS DISTINCT FROM (excluded.rate, excluded.burst, excluded.concurrency)
)
