-- How many interactions handles have in some intervals (NULL: without a beginning, or an end), by channel; `waiting`: those of messages
-- that are not sent yet.
SELECT
    i.channel, count(*) AS interactions,
    count(*) FILTER (WHERE i.direction = 'outbound' AND i.delivery IN ('requested', 'held')) AS waiting
FROM unnest(%(handles)s::uuid[], %(froms)s::timestamptz[], %(tos)s::timestamptz[]) AS a (handle_id, valid_from, valid_to)
JOIN interactions AS i ON i.handle_id = a.handle_id
    AND i."timestamp" >= coalesce(a.valid_from, '-infinity') AND i."timestamp" < coalesce(a.valid_to, 'infinity')
GROUP BY i.channel
ORDER BY i.channel
