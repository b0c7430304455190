-- Part of `claim` and `waits`: of a message `m`, the channels that its recipient opted out of, and the zone of the
-- recipient's profile.
-- Scalar subqueries are look-ups by index, whatever the planner believes of the tables' sizes.
LEFT JOIN LATERAL (
    SELECT array_agg(channel) FILTER (WHERE opted_out) AS opted_out, min(zone) AS zone
    FROM (
        SELECT
            h.channel,
            (
                SELECT bool_or(c.opted_out)
                FROM (SELECT h.id AS handle_id) AS asked
                CROSS JOIN LATERAL (
\ir consents_of.sql
                ) AS c
                WHERE c.channel IN (h.channel, '*')
            ) AS opted_out,
            (SELECT p.zone FROM profiles AS p WHERE p.handle_id = h.id) AS zone
        FROM (
            -- The third item is the handle's spelling, where that is not what is dialled.
            SELECT h ->> 0 AS channel, handle_id(m.client_id, coalesce(h ->> 2, h ->> 1)) AS id
            FROM jsonb_array_elements(m.handles) AS h
        ) AS h
    ) AS handle
) AS standing ON true
