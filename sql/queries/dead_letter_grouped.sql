-- Part of the queries of groups: the groups of the dead letters `found`, the largest first, and the number that was looked at.
SELECT
    source, topic, general AS reason, shape, count(*) AS letters, min(recorded_at) AS first_at, max(recorded_at) AS last_at,
    (array_agg(id ORDER BY recorded_at DESC, id DESC))[1] AS example, sum(count(*)) OVER ()::bigint AS seen
FROM found
GROUP BY source, topic, general, shape
ORDER BY letters DESC, last_at DESC, source, topic, reason, shape
LIMIT %(groups)s
