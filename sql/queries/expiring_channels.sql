-- Of each channel whose interactions end: its client, the days, the time of the oldest interaction that may go, and how many are due, and
-- events beside interactions, counted up to `most`.
SELECT
    r.client_id, r.channel, extract(day FROM r.age)::integer AS days, first.oldest, due.interactions + apart.events AS due
FROM channel_retention AS r
LEFT JOIN LATERAL (
    SELECT i."timestamp" AS oldest
    FROM interactions AS i
    WHERE i.client_id = r.client_id AND coalesce(i.channel, '') = r.channel AND NOT (
\ir kept_interaction.sql
    )
    ORDER BY i."timestamp" LIMIT 1
) AS first ON true
CROSS JOIN LATERAL (
    SELECT count(*) AS interactions FROM (
        SELECT FROM interactions AS i
        WHERE i.client_id = r.client_id AND coalesce(i.channel, '') = r.channel AND i."timestamp" < now() - r.age AND NOT (
\ir kept_interaction.sql
        )
        LIMIT %(most)s
    ) AS counted
) AS due
CROSS JOIN LATERAL (
    SELECT count(*) AS events FROM (
        SELECT FROM events AS e
        WHERE e.client_id = r.client_id AND coalesce(e.channel, '') = r.channel AND e.recorded_at < now() - r.age
            AND
\ir apart.sql
        LIMIT %(most)s
    ) AS counted
) AS apart
ORDER BY r.client_id, r.channel
