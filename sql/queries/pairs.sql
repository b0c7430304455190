-- Part of the statements that link: the pairs of references that a range of the log connects. These are the pairs of
-- `pairs_new`, and for each event with several versions of different references: each reference with the event's identity.
-- The identity then stands for the message as our message id does (it is paired with itself too, so that it is among the
-- references of which the least is chosen).
\ir pairs_new.sql
,
again AS MATERIALIZED (
    SELECT DISTINCT client_id, identity
    FROM (
\ir chunk.sql
        AND identity IS NOT NULL
    ) AS differing
),
versions AS MATERIALIZED (
    SELECT a.client_id, a.identity, e.reference, bool_or(e.is_message) AS is_message
    FROM again AS a
    CROSS JOIN LATERAL (
        SELECT t.reference, t.provider_message_id IS NULL AND t.message_id IS NOT NULL AS is_message
        FROM (
\ir versions.sql
        ) AS i
        JOIN threadline.events AS t ON t.recorded_at = i.recorded_at AND t.xid = i.xid AND t.position = i.position
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
    FROM versions AS t
    CROSS JOIN (VALUES (false), (true)) AS with_itself (own)
    WHERE t.identity IN (SELECT o.identity FROM versions AS o GROUP BY o.identity HAVING count(*) > 1)
)
