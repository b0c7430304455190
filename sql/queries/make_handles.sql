-- Makes handles, each with the id and the salt that this writer proposes. Two writers who meet a new handle at once get one id: the
-- second waits for the first, and its update, which changes nothing, returns that row. Sorted, so that the two cannot
-- deadlock. Its commit does not wait for the disk: the commit of what is then written under them does, and the log is flushed in order.
WITH proposed AS MATERIALIZED (
    SELECT
        number::integer - 1 AS place, h ->> 0 AS client_id, decode(h ->> 1, 'hex') AS digest, h ->> 2 AS kind, h ->> 3 AS platform,
        (h ->> 4)::uuid AS id, decode(h ->> 5, 'hex') AS salt, decode(h ->> 6, 'hex') AS sealed
    FROM jsonb_array_elements(%(handles)s) WITH ORDINALITY AS given (h, number)
),
made AS (
    INSERT INTO handles (id, client_id, kind, platform, digest, salt, sealed)
    SELECT id, client_id, kind, platform, digest, salt, sealed FROM proposed
    ORDER BY client_id, digest
    ON CONFLICT (client_id, digest) DO UPDATE SET kind = excluded.kind
    RETURNING id, customer_id, client_id, kind, digest, salt
),
assigned AS (
    INSERT INTO assignments (handle_id, customer_id, client_id)
    SELECT id, customer_id, client_id FROM made
    WHERE kind <> 'nobody'
    ORDER BY id
    ON CONFLICT (handle_id) DO NOTHING
)
SELECT p.place, m.id, m.salt
FROM (SELECT set_config('synchronous_commit', 'off', true)) AS unhurried
CROSS JOIN made AS m
JOIN proposed AS p ON p.client_id = m.client_id AND p.digest = m.digest
