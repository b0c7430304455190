-- Records attempts before they are made. Returns those whose message is still this worker's: those that may be made, and those
-- that were cancelled meanwhile and may not.
WITH mine AS MATERIALIZED (
    SELECT m.id, m.claims, r ->> 2 AS channel, r ->> 3 AS account, m.cancelled
    FROM jsonb_array_elements(%(attempts)s) AS given (r)
    JOIN messages AS m ON m.id = (r ->> 0)::uuid
    WHERE m.claims = (r ->> 1)::integer AND m.state = 'sending' AND m.due_at > now()
),
begun AS (
    INSERT INTO attempts (id, number, channel, account)
    SELECT id, claims, channel, account FROM mine WHERE NOT cancelled ORDER BY id
    -- Recorded already if the answer to an earlier try of this statement was lost.
    ON CONFLICT (id, number) DO UPDATE SET begun_at = attempts.begun_at
    RETURNING id
)
SELECT id, false AS cancelled FROM begun
UNION ALL
SELECT id, true FROM mine WHERE cancelled
