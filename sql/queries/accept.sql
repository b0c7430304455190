-- Takes requests that were not taken before, with the lanes that they will leave by. Gives each one's place in the batch and
-- the fingerprint under which its id is kept, and whether it was new; NULL where another transaction is taking it just now.
WITH incoming AS MATERIALIZED (
    SELECT
        place, message_reference(r ->> 0, r ->> 1) AS id, r ->> 0 AS client_id, r ->> 1 AS message_id,
        (r ->> 2)::smallint AS priority, (r ->> 3)::timestamptz AS due_at, (r ->> 4)::timestamptz AS not_before,
        (r ->> 5)::timestamptz AS expires_at, r ->> 6 AS channel, r ->> 7 AS account, r ->> 8 AS state,
        nullif(r -> 9, 'null') AS error, r -> 10 AS request, decode(r ->> 11, 'hex') AS fingerprint,
        r -> 12 AS handles
    FROM jsonb_array_elements(%(messages)s) WITH ORDINALITY AS given (r, place)
),
\ir laned.sql
,
fresh AS (
    INSERT INTO messages (
        id, client_id, message_id, lane, priority, due_at, not_before, expires_at, channel, account, state, error,
        request, fingerprint, handles
    )
    SELECT DISTINCT ON (id)
        id, client_id, message_id, lane_id(client_id, account), priority, coalesce(due_at, now()), not_before,
        expires_at, channel, account, state, error, request, fingerprint, handles
    FROM incoming
    ORDER BY id, place
    ON CONFLICT (id) DO NOTHING
    RETURNING id, fingerprint
),
woken AS (
    SELECT pg_notify('threadline_messages', '') FROM (SELECT FROM fresh LIMIT 1) AS any_of_them
)
SELECT
    i.place::integer - 1 AS place, f.id IS NOT NULL AND i.place = min(i.place) OVER (PARTITION BY i.id) AS fresh,
    -- A scalar subquery, which is a look-up by index whatever the planner believes of the table's size.
    coalesce(f.fingerprint, (SELECT m.fingerprint FROM messages AS m WHERE m.id = i.id)) = i.fingerprint AS same, (SELECT count(*) FROM woken) AS woken
FROM incoming AS i
LEFT JOIN fresh AS f ON f.id = i.id
ORDER BY i.place
