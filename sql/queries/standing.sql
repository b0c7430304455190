-- Part of `claim` and `waits`: of a message `m`, the channels that its recipient opted out of, and the zone of the
-- recipient's profile. An opt-out under the service's own user id applies to the channels that it names. Scalar
-- subqueries are look-ups by index, whatever the planner believes of the tables' sizes.
LEFT JOIN LATERAL (
    SELECT array_agg(channel) FILTER (WHERE channel IS NOT NULL) AS opted_out, min(zone) AS zone
    FROM (
        SELECT
            CASE WHEN asked.channel = 'user' THEN c.channel WHEN c.channel IN (asked.channel, '*') THEN asked.channel END AS channel,
            asked.zone
        FROM (
            SELECT own.channel, own.handle_id, (SELECT p.zone FROM profiles AS p WHERE p.handle_id = own.handle_id) AS zone
            FROM (
                SELECT h ->> 0 AS channel, (h ->> 2)::uuid AS handle_id
                FROM jsonb_array_elements(m.handles) AS h
            ) AS own
        ) AS asked
        LEFT JOIN LATERAL (
\ir consents_of.sql
        ) AS c ON c.opted_out
    ) AS each
) AS standing ON true
