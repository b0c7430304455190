-- Part of `claim` and `waits`: of a message `m`, the channels that its recipient opted out of, and the zone of the
-- recipient's profile.
LEFT JOIN LATERAL (
    SELECT array_agg(h ->> 0) FILTER (WHERE said.opted_out) AS opted_out, min(p.zone) AS zone
    FROM jsonb_array_elements(m.handles) AS h
    LEFT JOIN consents AS said
        ON said.handle_id = handle_id(m.client_id, h ->> 1) AND said.channel IN (h ->> 0, '*')
    LEFT JOIN profiles AS p ON p.handle_id = handle_id(m.client_id, h ->> 1)
) AS standing ON true
