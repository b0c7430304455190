-- Of the events whose identity the log has: those that differ from the log's versions in content or have an earlier receipt,
-- each by its place in the batch, with a digest that makes its id (`variant`). `joined`: the event names the same type,
-- message and person as all versions before it, or leaves them open. An event that contradicts them belongs to an
-- interaction of its own: two people or messages must not become one because an id was used twice. So does one that differs
-- from a version which is archived, and cannot be compared further.
WITH again AS MATERIALIZED (
    SELECT
        place, event_id(r ->> 13, r ->> 3, r ->> 4) AS identity, r ->> 0 AS type, r ->> 1 AS channel,
        r ->> 2 AS direction, r ->> 3 AS source, r ->> 5 AS provider, r ->> 6 AS provider_message_id,
\ir message_id.sql
        AS message_id, (%(handles)s::uuid[])[(r ->> 9)::integer] AS handle_id, nullif(r -> 10, 'null') AS error, (r ->> 11)::timestamptz AS occurred_at,
        r -> 12 AS payload, (r ->> 14)::timestamptz AS received_at
    FROM jsonb_array_elements(%(events)s) WITH ORDINALITY AS given (r, place)
),
repeated AS MATERIALIZED (
    SELECT
        e.place, e.identity, e.type,
        CASE WHEN e.provider_message_id IS NOT NULL
            THEN jsonb_build_array(coalesce(e.provider, e.source), e.provider_message_id)::text COLLATE "C"
        END AS theirs,
        e.message_id, e.handle_id::text COLLATE "C" AS handle, e.payload ->> 'interactionId' AS about,
        least(coalesce(e.occurred_at, e.received_at), e.received_at) AS at,
\ir content_digest.sql
        AS digest
    FROM again AS e
    CROSS JOIN LATERAL (
        SELECT i.content, f.*
        FROM event_ids AS i
        LEFT JOIN events AS f ON f.recorded_at = i.recorded_at AND f.xid = i.xid AND f.position = i.position
        WHERE i.id = e.identity AND i.content <> 0
            -- What is told again of somebody who was erased is not taken in again.
            AND (f.source_event_id <> 'late ' || f.id) IS NOT FALSE
            AND (SELECT h.erased_at IS NULL FROM handles AS h WHERE h.id = f.handle_id) IS NOT FALSE
            AND NOT EXISTS (
                SELECT FROM erased_references AS gone WHERE gone.reference = f.reference AND gone.client_id = f.client_id
            )
        -- OFFSET 0 makes it a look-up by index, whatever the planner's estimate of the table's size.
        OFFSET 0
    ) AS first
    -- Most repeated events are equal, which shows without a digest. Of an archived or emptied one there is only the hash.
    WHERE CASE WHEN first.id IS NULL OR first.source_event_id = 'expired ' || first.id THEN first.content <> event_content(
            e.type, e.channel, e.direction, e.provider, e.provider_message_id, e.message_id, e.handle_id, e.error, e.occurred_at, e.payload
        )
        ELSE (
            e.type, e.channel, e.direction, e.provider, e.provider_message_id, e.message_id, e.handle_id, e.error, e.occurred_at, e.payload
        ) IS DISTINCT FROM (
            first.type, first.channel, first.direction, first.provider, first.provider_message_id, first.message_id,
            first.handle_id, first.error, first.occurred_at, first.payload
        )
        OR least(coalesce(e.occurred_at, e.received_at), e.received_at)
            < least(coalesce(first.occurred_at, first.received_at), first.received_at)
    END
),
logged AS MATERIALIZED (
    SELECT
        a.identity,
        min(e.type) AS type, max(e.type) AS type_most, min(e.theirs) AS theirs, max(e.theirs) AS theirs_most,
        min(e.message_id) AS message_id, max(e.message_id) AS message_id_most,
        min(e.handle) AS handle, max(e.handle) AS handle_most, min(e.about) AS about, max(e.about) AS about_most,
        min(e.digest) FILTER (WHERE e.first AND NOT e.archived) AS first_digest, min(e.at) FILTER (WHERE e.first) AS first_at,
        bool_or(e.archived) AS archived
    FROM (SELECT DISTINCT identity FROM repeated) AS a
    CROSS JOIN LATERAL (
        SELECT
            v.id = a.identity AS first, e.id IS NULL OR e.source_event_id = 'expired ' || e.id AS archived, e.type,
            CASE WHEN e.provider_message_id IS NOT NULL
                THEN jsonb_build_array(coalesce(e.provider, e.source), e.provider_message_id)::text COLLATE "C"
            END AS theirs,
            e.message_id, e.handle_id::text COLLATE "C" AS handle, e.payload ->> 'interactionId' AS about,
            least(coalesce(e.occurred_at, e.received_at), e.received_at) AS at,
\ir content_digest.sql
            AS digest
        FROM (
\ir versions.sql
        ) AS v
        LEFT JOIN events AS e ON e.recorded_at = v.recorded_at AND e.xid = v.xid AND e.position = v.position
    ) AS e
    GROUP BY a.identity
),
compared AS (
    SELECT
        r.place, r.digest, r.at, coalesce(r.digest = l.first_digest, false) AS same, l.first_at,
        (
            SELECT coalesce(least(coalesce(v.occurred_at, v.received_at), v.received_at), '-infinity')
            FROM event_ids AS i
            LEFT JOIN events AS v ON v.recorded_at = i.recorded_at AND v.xid = i.xid AND v.position = i.position
            WHERE i.id = event_variant(r.identity, r.digest)
        ) AS known_at,
        NOT l.archived
        AND least(min(r.type COLLATE "C") OVER before, l.type) = greatest(max(r.type COLLATE "C") OVER before, l.type_most)
        AND coalesce(least(min(r.theirs) OVER before, l.theirs) = greatest(max(r.theirs) OVER before, l.theirs_most), true)
        AND coalesce(
            least(min(r.message_id COLLATE "C") OVER before, l.message_id)
            = greatest(max(r.message_id COLLATE "C") OVER before, l.message_id_most), true
        )
        AND coalesce(
            least(min(r.handle COLLATE "C") OVER before, l.handle)
            = greatest(max(r.handle COLLATE "C") OVER before, l.handle_most), true
        )
        AND coalesce(
            least(min(r.about COLLATE "C") OVER before, l.about COLLATE "C")
            = greatest(max(r.about COLLATE "C") OVER before, l.about_most COLLATE "C"), true
        ) AS joined
    FROM repeated AS r
    JOIN logged AS l ON l.identity = r.identity
    WINDOW before AS (PARTITION BY r.identity ORDER BY r.place)
)
SELECT
    place::integer - 1 AS place, joined, same OR known_at IS NOT NULL AS said,
    CASE WHEN NOT same AND known_at IS NULL THEN digest ELSE digest || ' ' || extract(epoch FROM at) END AS variant
FROM compared
WHERE CASE WHEN same THEN at < first_at ELSE known_at IS NULL OR at < known_at END
ORDER BY place
