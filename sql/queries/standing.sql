-- Part of `claim` and `waits`: of a message `m`, the channels that its recipient opted out of, and the zone of the
-- recipient's profile.
-- Scalar subqueries are look-ups by index, whatever the planner believes of the tables' sizes.
LEFT JOIN LATERAL (
    SELECT array_agg(channel) FILTER (WHERE opted_out) AS opted_out, min(zone) AS zone
    FROM (
        SELECT
            h ->> 0 AS channel,
            (
                SELECT bool_or(c.opted_out) FROM consents AS c
                WHERE c.handle_id = handle_id(m.client_id, h ->> 1) AND c.channel IN (h ->> 0, '*')
            ) AS opted_out,
            (SELECT p.zone FROM profiles AS p WHERE p.handle_id = handle_id(m.client_id, h ->> 1)) AS zone
        FROM jsonb_array_elements(m.handles) AS h
    ) AS handle
) AS standing ON true
