-- How many interactions some assignments have, by channel; `waiting`: those of messages that are not sent yet.
SELECT
    i.channel, count(*) AS interactions,
    count(*) FILTER (WHERE i.direction = 'outbound' AND i.delivery IN ('requested', 'held')) AS waiting
FROM assignments AS a
JOIN interactions AS i ON i.handle_id = a.handle_id AND i."timestamp" >= a.valid_from AND i."timestamp" < a.valid_to
WHERE a.id = ANY (%(ids)s::uuid[])
GROUP BY i.channel
ORDER BY i.channel
