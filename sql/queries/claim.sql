-- Claims due messages for `lease` seconds: of each lane what its account may send now, by priority, and in turn from all lanes,
-- so that a flood in one delays no other. A lane from which another worker is claiming is skipped.
-- Looks only at lanes that have a hint (`lanes_due`), those first whose turn is longest ago, and writes their next hints.
WITH seen AS MATERIALIZED (
    (SELECT lane, state, due_at FROM lanes_due WHERE state = 'ready' ORDER BY due_at LIMIT %(looks)s)
    UNION ALL
    (
        SELECT lane, state, due_at FROM lanes_due
        WHERE state = 'resting' AND due_at <= now() ORDER BY due_at LIMIT %(looks)s
    )
    UNION ALL
    (
        -- No pause is that long: the clock was set back.
        SELECT lane, state, due_at FROM lanes_due
        WHERE state = 'resting' AND due_at > now() + make_interval(secs => %(rest)s + 1)
        ORDER BY due_at DESC LIMIT %(looks)s
    )
    UNION ALL
    (
        SELECT lane, state, due_at FROM lanes_due
        WHERE state = 'later' AND due_at <= now() ORDER BY due_at LIMIT %(looks)s
    )
),
candidate AS MATERIALIZED (
    SELECT
        s.lane, s.plain, s.turn,
        EXISTS (
            SELECT FROM (VALUES (0::smallint), (1::smallint), (2::smallint)) AS p (priority)
            -- LIMIT makes it a look at the first of each priority, where the planner would read all that are due.
            CROSS JOIN LATERAL (
                SELECT FROM messages AS m
                WHERE m.lane = s.lane AND m.priority = p.priority AND m.waiting AND m.due_at <= now()
                LIMIT 1
            ) AS one
        ) AS due
    FROM (
        SELECT lane, count(*) = 1 AND min(state) = 'ready' AS plain, min(due_at) AS turn FROM seen GROUP BY lane
    ) AS s
    ORDER BY s.turn
),
lane AS MATERIALIZED (
    SELECT l.*
    FROM candidate AS c
    CROSS JOIN LATERAL (
        SELECT
            l.id, l.rate, l.burst, l.concurrency, l.failures > 0 OR l.trouble IS NOT NULL AS ailing, available.tokens,
            l.failures >= %(trouble)s AS probe, l.filled_at > now() + interval '5 s' AS ahead,
            CASE
                WHEN l.failures >= %(trouble)s THEN least(1, room.left)
                WHEN l.rate IS NULL THEN least(%(most)s, room.left)
                ELSE least(%(most)s, room.left, floor(available.tokens)::integer)
            END AS allowance
        FROM lanes AS l
        CROSS JOIN LATERAL (
            SELECT l.concurrency - coalesce((%(busy)s ->> l.id::text)::integer, 0) AS left
        ) AS room
        CROSS JOIN LATERAL (
            SELECT least(
                l.burst, l.tokens + l.rate * greatest(0, extract(epoch FROM now() - l.filled_at))::double precision
            ) AS tokens
        ) AS available
        -- A time in the future was written before the database's clock was set back: it does not count.
        WHERE l.id = c.lane AND (l.open_until IS NULL OR l.open_until <= now() OR l.failed_at > now() + interval '5 s')
            -- An account whose calls fail is probed by one call at a time, across all workers.
            AND (
                l.failures < %(trouble)s OR l.probing_until IS NULL OR l.probing_until <= now()
                OR l.probing_until > now() + make_interval(secs => %(lease)s)
            )
            AND room.left > 0
        FOR UPDATE OF l SKIP LOCKED
    ) AS l
    WHERE c.due AND (l.allowance > 0 OR l.ahead)
    LIMIT %(most)s
),
picked AS MATERIALIZED (
    SELECT
        m.id, lane.id AS lane, lane.ailing, lane.probe, lane.allowance,
        row_number() OVER (PARTITION BY lane.id ORDER BY m.priority, m.due_at) AS place
    FROM lane
    CROSS JOIN (VALUES (0::smallint), (1::smallint), (2::smallint)) AS p (priority)
    CROSS JOIN LATERAL (
        SELECT d.id, d.priority, d.due_at
        FROM messages AS d
        WHERE d.lane = lane.id AND d.priority = p.priority AND d.waiting AND d.due_at <= now()
        ORDER BY d.due_at
        LIMIT greatest(lane.allowance, 0)
    ) AS m
),
chosen AS MATERIALIZED (
    SELECT id, lane, ailing, probe FROM picked WHERE place <= allowance ORDER BY place, md5(lane::text || now()::text) LIMIT %(most)s
),
taken AS MATERIALIZED (
    SELECT chosen.id, chosen.lane, chosen.ailing, chosen.probe
    FROM chosen
    CROSS JOIN LATERAL (
        SELECT FROM messages AS d WHERE d.id = chosen.id AND d.waiting AND d.due_at <= now() FOR UPDATE SKIP LOCKED
    ) AS locked
),
spent AS (
    UPDATE lanes AS l SET
        tokens = CASE WHEN l.rate IS NULL THEN l.tokens ELSE lane.tokens - coalesce(n.taken, 0) END,
        filled_at = CASE WHEN l.filled_at > now() AND NOT lane.ahead THEN l.filled_at ELSE now() END,
        probing_until = CASE
            WHEN lane.probe AND n.taken > 0 THEN now() + make_interval(secs => %(lease)s) ELSE l.probing_until
        END
    FROM lane
    LEFT JOIN (SELECT taken.lane, count(*) AS taken FROM taken GROUP BY taken.lane) AS n ON n.lane = lane.id
    WHERE l.id = lane.id AND ((n.taken > 0 AND (l.rate IS NOT NULL OR lane.probe)) OR (lane.ahead AND l.rate IS NOT NULL))
),
claimed AS (
    UPDATE messages AS m SET
        -- A watched message was sent; it stays watched if its worker dies.
        state = CASE WHEN m.state = 'watched' THEN m.state ELSE 'sending' END,
        due_at = now() + make_interval(secs => %(lease)s), claims = m.claims + 1, changed_at = now()
    FROM taken
    JOIN messages AS before ON before.id = taken.id
    WHERE m.id = taken.id
    RETURNING m.*, before.state AS was, before.due_at AS was_due, taken.ailing, taken.probe, taken.lane AS claimed_from
),
-- The next hint of each lane that was examined: when its remaining or next message is due. (`claimed` adds the leases' ends.)
counted AS MATERIALIZED (
    SELECT p.lane, count(*) AS picked, (SELECT count(*) FROM taken AS t WHERE t.lane = p.lane) AS taken
    FROM picked AS p
    GROUP BY p.lane
),
looked AS MATERIALIZED (
    SELECT
        c.lane, c.plain, c.turn, coalesce(n.taken, 0) AS taken, l.id IS NOT NULL AS known, l.rate,
        greatest(
            CASE WHEN l.failed_at > now() + interval '5 s' THEN NULL ELSE l.open_until END,
            CASE
                WHEN l.failures < %(trouble)s THEN NULL
                WHEN served.probe AND n.taken > 0 THEN now() + make_interval(secs => %(lease)s)
                WHEN l.probing_until > now() + make_interval(secs => %(lease)s) THEN NULL
                ELSE l.probing_until
            END
        ) AS shut_until,
        CASE WHEN l.rate IS NOT NULL AND l.failures < %(trouble)s THEN available.tokens - coalesce(n.taken, 0) END AS tokens,
        CASE
            WHEN n.lane IS NOT NULL THEN n.picked > n.taken OR n.picked >= served.allowance
            ELSE c.due
        END AS due,
        (
            SELECT min(first.due_at)
            FROM (VALUES (0::smallint), (1::smallint), (2::smallint)) AS p (priority)
            CROSS JOIN LATERAL (
                SELECT m.due_at FROM messages AS m
                WHERE m.lane = c.lane AND m.priority = p.priority AND m.waiting AND m.due_at > now()
                ORDER BY m.due_at LIMIT 1
            ) AS first
        ) AS next
    FROM candidate AS c
    LEFT JOIN counted AS n ON n.lane = c.lane
    LEFT JOIN lane AS served ON served.id = c.lane
    LEFT JOIN LATERAL (SELECT * FROM lanes WHERE id = c.lane OFFSET 0) AS l ON true
    LEFT JOIN LATERAL (
        SELECT coalesce(
            served.tokens,
            least(l.burst, l.tokens + l.rate * greatest(0, extract(epoch FROM now() - l.filled_at))::double precision)
        ) AS tokens
    ) AS available ON true
),
follows AS MATERIALIZED (
    SELECT
        lane, known, plain AND taken = 0 AS plain,
        CASE
            WHEN NOT due THEN 'later'
            WHEN shut_until > now() OR tokens < 1 THEN 'resting'
            ELSE 'ready'
        END AS state,
        CASE
            WHEN NOT due THEN next
            WHEN shut_until > now() OR tokens < 1 THEN least(
                now() + make_interval(secs => %(rest)s),
                greatest(shut_until, CASE WHEN tokens < 1 THEN now() + make_interval(secs => least((1 - tokens) / rate, %(rest)s)) END)
            )
            -- A lane that was not served keeps its turn.
            WHEN taken = 0 THEN least(turn, now())
            ELSE now()
        END AS due_at
    FROM looked
),
-- An unchanged hint is not written again.
renewed AS MATERIALIZED (
    SELECT lane, known, state, due_at FROM follows WHERE NOT (plain AND state = 'ready' AND known)
),
removed AS (
    DELETE FROM lanes_due AS h
    USING (
        SELECT lane, id FROM lanes_due WHERE lane = ANY (ARRAY(SELECT lane FROM renewed)) FOR UPDATE SKIP LOCKED
    ) AS old
    WHERE h.lane = old.lane AND h.id = old.id
),
noted AS (
    -- A lane that does not exist yet writes its own.
    INSERT INTO lanes_due (lane, state, due_at)
    SELECT lane, state, due_at FROM renewed WHERE known AND due_at IS NOT NULL
)
SELECT
    m.id, m.client_id, m.message_id, m.lane, m.claims, m.tries, m.doubted, m.checks, m.cancelled, m.released, m.ailing, m.probe, m.was, m.channel,
    m.account, m.tried, m.expires_at, m.request, m.handles, m.trace, lane.rate, lane.burst, lane.concurrency, standing.opted_out,
    standing.zone, a.doubt_since, a.channel AS doubt_channel, a.account AS doubt_account, i.delivery,
    EXISTS (SELECT FROM suppressions AS s WHERE s.client_id = m.client_id) AS suppressing,
    coalesce(i.sent_at, i.delivered_at, i.failed_at, i.bounced_at, i.rejected_at) IS NOT NULL AS reported
FROM claimed AS m
JOIN lane ON lane.id = m.claimed_from
-- Most messages need no look-up: within the laterals (kept apart by OFFSET) `was` and `doubted` avoid it.
LEFT JOIN LATERAL (
    -- Of any earlier claim: the worker of the last one may have died before its attempt.
    SELECT
        min(begun_at) AS doubt_since, (array_agg(channel ORDER BY number DESC))[1] AS channel,
        (array_agg(account ORDER BY number DESC))[1] AS account
    FROM attempts
    WHERE (m.was = 'sending' OR m.doubted) AND id = m.id AND (outcome IS NULL OR (outcome = 'unanswered' AND m.doubted))
) AS a ON true
LEFT JOIN LATERAL (
    SELECT o.*
    FROM interactions AS o
    WHERE (m.was IN ('sending', 'watched') OR m.doubted) AND o.client_id = m.client_id
        AND o.id = coalesce((SELECT l.interaction_id FROM interaction_links AS l WHERE l.reference = m.id), m.id)
    OFFSET 0
) AS i ON true
\ir standing.sql
ORDER BY m.priority, m.was_due
