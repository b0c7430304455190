-- Accepts requests that were not accepted before, with the lanes of their accounts. A key names one message: the first accepted
-- under it, whatever id later requests ask for. Returns each request's place in the batch, the id of its message, whether that
-- is new, and whether the request is the same; NULL where another transaction is accepting it.
WITH incoming AS MATERIALIZED (
    SELECT
        place, message_reference(r ->> 0, r ->> 1) AS id, r ->> 0 AS client_id, r ->> 1 AS message_id,
        (r ->> 2)::smallint AS priority, (r ->> 3)::timestamptz AS due_at, (r ->> 4)::timestamptz AS not_before,
        (r ->> 5)::timestamptz AS expires_at, r ->> 6 AS channel, r ->> 7 AS account, r ->> 8 AS state,
        nullif(r -> 9, 'null') AS error, r -> 10 AS request, decode(r ->> 11, 'hex') AS fingerprint,
        r -> 12 AS handles, r ->> 13 AS key, r ->> 14 AS trace, nullif(r -> 15, 'null') AS withheld,
        -- A request that is read again after its recipient was erased is refused.
        (SELECT EXISTS (SELECT FROM erased_references)) AND EXISTS (
            SELECT FROM erased_references AS g
            WHERE g.reference = message_reference(r ->> 0, r ->> 1) AND g.client_id = r ->> 0
        ) AS gone
    FROM jsonb_array_elements(%(messages)s) WITH ORDINALITY AS given (r, place)
),
\ir laned.sql
,
keyed AS (
    INSERT INTO message_keys (client_id, key, id)
    SELECT DISTINCT ON (i.client_id, i.key) i.client_id, i.key, i.id
    FROM incoming AS i
    -- Not for a request that differs from the accepted message: it is refused, and its key stays free.
    WHERE i.key IS NOT NULL AND NOT i.gone
        AND coalesce((SELECT m.fingerprint FROM messages AS m WHERE m.id = i.id) IN (i.fingerprint, ''), true)
    ORDER BY i.client_id, i.key, i.place
    ON CONFLICT (client_id, key) DO NOTHING
    RETURNING client_id, key, id
),
meant AS MATERIALIZED (
    -- NULL where another transaction is taking the key just now.
    SELECT
        i.*,
        CASE
            WHEN i.key IS NULL THEN i.id
            ELSE coalesce(
                (SELECT n.id FROM keyed AS n WHERE n.client_id = i.client_id AND n.key = i.key),
                (SELECT k.id FROM message_keys AS k WHERE k.client_id = i.client_id AND k.key = i.key),
                -- A key of several messages, or a message that differs under its own id.
                CASE
                    WHEN EXISTS (SELECT FROM message_keys AS k WHERE k.client_id = i.client_id AND k.key = i.key) THEN
                        '00000000-0000-0000-0000-000000000000'
                    WHEN (SELECT m.id FROM messages AS m WHERE m.id = i.id) IS NOT NULL THEN i.id
                END
            )
        END AS meant
    FROM incoming AS i
),
fresh AS (
    INSERT INTO messages (
        id, client_id, message_id, lane, priority, due_at, not_before, expires_at, channel, account, state, error,
        request, fingerprint, handles, trace, withheld
    )
    SELECT DISTINCT ON (id)
        id, client_id, message_id, lane_id(client_id, account), priority, coalesce(due_at, now()), not_before,
        expires_at, channel, account, state, error, request, fingerprint, handles, trace, withheld
    FROM meant
    WHERE meant = id AND NOT gone
    ORDER BY id, place
    ON CONFLICT (id) DO NOTHING
    RETURNING id, fingerprint
),
woken AS (
    SELECT pg_notify('threadline_messages', '') FROM (SELECT FROM fresh LIMIT 1) AS any_of_them
)
SELECT
    i.place::integer - 1 AS place, f.id IS NOT NULL AND i.place = min(i.place) FILTER (WHERE i.id = i.meant) OVER (PARTITION BY i.meant) AS fresh,
    -- Scalar subqueries, which are look-ups by index whatever the planner believes of the table's size.
    CASE
        WHEN i.gone OR i.meant = '00000000-0000-0000-0000-000000000000' THEN false
        ELSE coalesce(f.fingerprint, (SELECT m.fingerprint FROM messages AS m WHERE m.id = i.meant)) IN (i.fingerprint, '')
    END AS same,
    CASE
        WHEN i.meant <> i.id THEN coalesce(
            (SELECT g.message_id FROM incoming AS g WHERE g.id = i.meant LIMIT 1),
            (SELECT m.message_id FROM messages AS m WHERE m.id = i.meant)
        )
    END AS meant,
    (SELECT count(*) FROM woken) AS woken,
\ir erased.sql
    AS erased
FROM meant AS i
LEFT JOIN fresh AS f ON f.id = i.meant
ORDER BY i.place
