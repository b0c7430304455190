-- Part of `accept` and `set_lanes`: sets lanes as their accounts are configured now; buckets and circuits stay as they are. An
-- unchanged lane is not locked, since no worker can claim from a locked lane.
laned AS (
    INSERT INTO lanes (id, client_id, account, rate, tokens, burst, concurrency)
    SELECT wanted.id, wanted.client_id, wanted.account, wanted.rate, wanted.burst, wanted.burst, wanted.concurrency
    FROM (
        SELECT
            lane_id(r ->> 0, r ->> 1) AS id, r ->> 0 AS client_id, r ->> 1 AS account,
            (r ->> 2)::double precision AS rate, (r ->> 3)::integer AS burst, (r ->> 4)::integer AS concurrency
        FROM jsonb_array_elements(%(lanes)s) AS given (r)
    ) AS wanted
    LEFT JOIN lanes AS l ON l.id = wanted.id
    WHERE (l.id, l.rate, l.burst, l.concurrency)
        IS DISTINCT FROM (wanted.id, wanted.rate, wanted.burst, wanted.concurrency)
    ORDER BY wanted.id
    ON CONFLICT (id) DO UPDATE SET
        rate = excluded.rate, burst = excluded.burst, concurrency = excluded.concurrency
)
