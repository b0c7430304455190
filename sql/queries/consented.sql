-- Part of `append_consents` and `project_consents`: the opt-outs and opt-ins of `fresh`. One for a provider's list or group stops that
-- list only, and is left out. One that was told several times is as old as its first telling, whichever came first (`dated`: those
-- that are new, or older than was known). The latest of each kind counts, and of two at the same time the one with the greatest
-- basis. What became older is seen to by `consents_lowered`.
dated AS (
    INSERT INTO consent_times AS t (handle_id, client_id, channel, wanted, identity, at, basis)
    SELECT DISTINCT ON (e.handle_id, f.channel, f.wanted, f.identity)
        e.handle_id, e.client_id, f.channel, f.wanted, f.identity, f.at, f.basis
    FROM fresh AS e
    CROSS JOIN LATERAL (
        SELECT
            coalesce(e.channel, '*') AS channel, e.type = 'RecipientSubscribed' AS wanted, coalesce(e.identity, e.id) AS identity,
            least(coalesce(e.occurred_at, e.received_at), e.received_at) AS at,
            coalesce(left(e.payload ->> 'basis', 64), 'told') COLLATE "C" AS basis
    ) AS f
    WHERE e.type IN
\ir consent_types.sql
        AND e.handle_id IS NOT NULL AND NOT e.payload ?| ARRAY['list', 'unsubscribeGroup']
    ORDER BY e.handle_id, f.channel, f.wanted, f.identity, f.at, f.basis DESC
    ON CONFLICT (handle_id, channel, wanted, identity) DO UPDATE SET at = excluded.at, basis = excluded.basis
    WHERE (excluded.at, t.basis) < (t.at, excluded.basis)
    RETURNING handle_id, client_id, channel, wanted, at, basis
),
consented AS (
    INSERT INTO consents AS c (
        handle_id, client_id, channel, opted_out_at, opted_out_basis, opted_in_at, opted_in_basis
    )
    SELECT
        handle_id, client_id, channel,
        max(at) FILTER (WHERE NOT wanted),
        (array_agg(basis ORDER BY at DESC, basis DESC) FILTER (WHERE NOT wanted))[1],
        max(at) FILTER (WHERE wanted),
        (array_agg(basis ORDER BY at DESC, basis DESC) FILTER (WHERE wanted))[1]
    FROM dated
    GROUP BY handle_id, client_id, channel
    ORDER BY handle_id, channel
    ON CONFLICT (handle_id, channel) DO UPDATE SET
        opted_out_at = greatest(c.opted_out_at, excluded.opted_out_at),
        opted_out_basis = CASE
            WHEN c.opted_out_at IS NULL
                OR (excluded.opted_out_at, excluded.opted_out_basis) > (c.opted_out_at, c.opted_out_basis)
                THEN excluded.opted_out_basis
            ELSE c.opted_out_basis
        END,
        opted_in_at = greatest(c.opted_in_at, excluded.opted_in_at),
        opted_in_basis = CASE
            WHEN c.opted_in_at IS NULL
                OR (excluded.opted_in_at, excluded.opted_in_basis) > (c.opted_in_at, c.opted_in_basis)
                THEN excluded.opted_in_basis
            ELSE c.opted_in_basis
        END
)
