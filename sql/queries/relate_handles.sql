-- Keeps the pairs of handles that a range of the log links, each with the time at which it was first stated and by whom. Returns the
-- assignments that got a new link (see `assign_customers`), and whether the range has decisions on customers. Addresses that many
-- people have by their kind are never linked.
WITH relating AS MATERIALIZED (
\ir chunk.sql
    AND type IN
\ir relating_types.sql

),
stated AS MATERIALIZED (
    SELECT
        e.client_id, e.handle_id AS one, e.related_id AS other,
        e.payload -> 'evidence' ->> 'kind' AS evidence,
        min(least(coalesce(e.occurred_at, e.received_at), e.received_at)) AS since
    FROM relating AS e
    JOIN handles AS h ON h.id = e.handle_id
    JOIN handles AS o ON o.id = e.related_id
    WHERE e.type = 'HandleLinked' AND e.handle_id <> e.related_id
        AND NOT ARRAY[h.kind, o.kind] && ARRAY['alphanumeric', 'short_code', 'other']
    GROUP BY e.client_id, e.handle_id, e.related_id, evidence
),
pairs AS (
    SELECT
        one, other, client_id, min(since) AS since,
        coalesce(array_agg(DISTINCT evidence) FILTER (WHERE evidence IS NOT NULL), '{}') AS evidence
    FROM (
        SELECT one, other, client_id, since, evidence FROM stated
        UNION ALL
        SELECT other, one, client_id, since, evidence FROM stated
    ) AS both_ways
    GROUP BY one, other, client_id
),
linked AS (
    INSERT INTO handle_links AS l (handle_id, other_id, client_id, since, evidence)
    SELECT one, other, client_id, since, evidence FROM pairs
    ORDER BY 1, 2
    ON CONFLICT (handle_id, other_id) DO UPDATE SET
        since = least(l.since, excluded.since),
        evidence = ARRAY(SELECT DISTINCT unnest(l.evidence || excluded.evidence) ORDER BY 1)
    WHERE l.since > excluded.since OR NOT l.evidence @> excluded.evidence
    RETURNING handle_id, since
)
SELECT
    (
        -- A handle that no assignment names yet is its own (see `assign_customers`).
        SELECT array_agg(DISTINCT coalesce(a.id, l.handle_id))
        FROM linked AS l
        LEFT JOIN assignments AS a ON a.handle_id = l.handle_id
    ) AS changed,
    EXISTS (SELECT FROM relating WHERE type <> 'HandleLinked') AS deciding
