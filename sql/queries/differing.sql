-- Of events whose identities the log has: those that say something else than it has of them, or were received before, each
-- by its place in the batch, with the digest that sets it apart. `joined`: nothing in it contradicts the first telling, each
-- of two names the same or one of them none; what contradicts it is an event by itself, since two people or messages must
-- not become one by an id that was used twice.
WITH told AS MATERIALIZED (
    SELECT
        e.place, e.identity, e.type, e.client_id, e.provider_message_id, e.message_id, e.handle_kind, e.handle_value,
        coalesce(e.provider, e.source) AS provider, least(coalesce(e.occurred_at, e.received_at), e.received_at) AS at,
        e.payload ->> 'interactionId' AS interaction_id,
\ir said.sql
        AS said
    FROM (
        SELECT
            place, event_id(r ->> 13, r ->> 3, r ->> 4) AS identity, r ->> 0 AS type, r ->> 1 AS channel,
            r ->> 2 AS direction, r ->> 3 AS source, r ->> 5 AS provider, r ->> 6 AS provider_message_id,
            r ->> 7 AS message_id, r ->> 8 AS handle_kind, r ->> 9 AS handle_value, nullif(r -> 10, 'null') AS error,
            (r ->> 11)::timestamptz AS occurred_at, r -> 12 AS payload, r ->> 13 AS client_id,
            (r ->> 14)::timestamptz AS received_at
        FROM jsonb_array_elements(%(events)s) WITH ORDINALITY AS given (r, place)
    ) AS e
),
compared AS (
    SELECT
        t.place, t.said, t.at, first.said = t.said AS same, first.at AS first_at,
        (
            SELECT least(coalesce(v.occurred_at, v.received_at), v.received_at)
            FROM events AS v WHERE v.id = event_variant(t.identity, t.said)
        ) AS known_at,
        (
            t.type = first.type
            AND coalesce(t.provider_message_id = first.provider_message_id AND t.provider = first.provider, true)
            AND coalesce(t.message_id = first.message_id, true)
            AND coalesce(t.handle_kind = first.handle_kind AND t.handle_value = first.handle_value, true)
            AND t.interaction_id IS NOT DISTINCT FROM first.interaction_id
        ) AS joined
    FROM told AS t
    CROSS JOIN LATERAL (
        SELECT
            e.type, e.provider_message_id, e.message_id, e.handle_kind, e.handle_value,
            coalesce(e.provider, e.source) AS provider,
            least(coalesce(e.occurred_at, e.received_at), e.received_at) AS at,
            e.payload ->> 'interactionId' AS interaction_id,
\ir said.sql
            AS said
        FROM events AS e
        WHERE e.id = t.identity
        -- Makes it a look-up by index, whatever the planner believes of the table's size.
        OFFSET 0
    ) AS first
)
SELECT
    place::integer - 1 AS place, joined,
    CASE
        WHEN NOT same AND known_at IS NULL THEN said
        ELSE said || ' ' || extract(epoch FROM at)
    END AS variant
FROM compared
WHERE CASE WHEN same THEN at < first_at ELSE known_at IS NULL OR at < known_at END
ORDER BY place
