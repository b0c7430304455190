-- Part of what links: the pairs of references that a stretch of the log connects. Beside those of `pairs_new`, an event that
-- was told several times under one identity, by different references: each of them with the identity, which then stands for
-- the message as its client's id does (with itself too, so that it counts among those of which the least is chosen).
\ir pairs_new.sql
,
again AS MATERIALIZED (
    SELECT DISTINCT client_id, identity
    FROM (
\ir chunk.sql
        AND identity IS NOT NULL
    ) AS varied
),
tellings AS MATERIALIZED (
    SELECT a.client_id, a.identity, e.reference, bool_or(e.is_message) AS is_message
    FROM again AS a
    CROSS JOIN LATERAL (
        SELECT t.reference, t.provider_message_id IS NULL AND t.message_id IS NOT NULL AS is_message
        FROM threadline.events AS t WHERE t.id = a.identity
        UNION ALL
        SELECT t.reference, t.provider_message_id IS NULL AND t.message_id IS NOT NULL
        FROM threadline.events AS t WHERE t.identity = a.identity
    ) AS e
    WHERE e.reference IS NOT NULL
    GROUP BY a.client_id, a.identity, e.reference
),
pairs AS MATERIALIZED (
    SELECT client_id, theirs, ours FROM both_ids
    UNION
    SELECT
        t.client_id, CASE WHEN own OR t.is_message THEN t.identity ELSE t.reference END,
        CASE WHEN t.is_message AND NOT own THEN t.reference ELSE t.identity END
    FROM tellings AS t
    CROSS JOIN (VALUES (false), (true)) AS with_itself (own)
    WHERE t.identity IN (SELECT o.identity FROM tellings AS o GROUP BY o.identity HAVING count(*) > 1)
)
