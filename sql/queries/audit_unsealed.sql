-- The first entries that are in no batch, by position. An entry whose transaction ended after later ones were sealed (`late`) has a
-- position that was a hole then; holes are looked at for a day.
WITH last AS MATERIALIZED (
    SELECT coalesce(max(upto), 0) AS upto FROM (SELECT upto FROM audit_heads ORDER BY batch DESC LIMIT 1) AS one
),
waited_for AS MATERIALIZED (
    SELECT unnest(coalesce(range_agg(holes), '{}') - coalesce(range_agg(late), '{}')) AS hole
    FROM audit_heads WHERE sealed_at > now() - interval '1 day'
)
SELECT * FROM (
    (
        SELECT
\ir audited_columns.sql
            , true AS late, a.at
        FROM waited_for
        -- By the index, hole by hole: as a join it reads the whole audit in order of the positions.
        CROSS JOIN LATERAL (
            SELECT * FROM audit AS e
            WHERE e.position >= lower(waited_for.hole) AND e.position < upper(waited_for.hole)
            ORDER BY e.position
            LIMIT %(limit)s
        ) AS a
        ORDER BY a.position
        LIMIT %(limit)s
    )
    UNION ALL
    (
        SELECT
\ir audited_columns.sql
            , false AS late, a.at
        FROM audit AS a
        WHERE a.position > (SELECT upto FROM last)
        ORDER BY a.position
        LIMIT %(limit)s
    )
) AS unsealed
ORDER BY position
LIMIT %(limit)s
