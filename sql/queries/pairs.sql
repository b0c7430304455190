-- Part of what links: the two references of every message that an event in a stretch of the log knows by both ids. And of an
-- event that was told twice under one identity, by different references: each of them with the identity, which then stands
-- for the message as its client's id does (with itself too, so that it counts among those of which the least is chosen).
pairs AS MATERIALIZED (
    SELECT DISTINCT client_id, reference AS theirs, message_reference(client_id, message_id) AS ours
    FROM (
\ir chunk.sql
        AND provider_message_id IS NOT NULL AND message_id IS NOT NULL
    ) AS linking
    UNION
    SELECT again.client_id, pair.theirs, pair.ours
    FROM (
\ir chunk.sql
        AND identity IS NOT NULL AND reference IS NOT NULL
    ) AS again
    CROSS JOIN LATERAL (
        SELECT e.reference, e.provider_message_id, e.message_id FROM threadline.events AS e WHERE e.id = again.identity
        OFFSET 0
    ) AS first
    CROSS JOIN LATERAL (
        VALUES
        (again.reference, again.provider_message_id IS NULL AND again.message_id IS NOT NULL),
        (first.reference, first.provider_message_id IS NULL AND first.message_id IS NOT NULL),
        (again.identity, false)
    ) AS each (reference, is_message)
    CROSS JOIN LATERAL (
        SELECT
            CASE WHEN each.is_message THEN again.identity ELSE each.reference END AS theirs,
            CASE WHEN each.is_message THEN each.reference ELSE again.identity END AS ours
    ) AS pair
    WHERE first.reference <> again.reference
)
