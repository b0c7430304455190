-- Keeps the decisions on customers in a range of the log. Returns the assignments that they name, and the handles that have
-- another holder from a time on, or no longer have.
WITH stated AS MATERIALIZED (
    SELECT
        *,
        -- One that lacks what it has to say changes nothing.
        type <> 'CustomerChangeUndone' AND cardinality(ones) > 0 AND cardinality(others) > 0 AND moved_id IS NOT NULL
        AND customer_id IS NOT NULL AND (type <> 'HandleUnlinked' OR handle_id IS NOT NULL AND valid_from IS NOT NULL)
        AS whole
    FROM (
        SELECT
            e.id AS event_id, e.position, least(coalesce(e.occurred_at, e.received_at), e.received_at) AS at, e.client_id, e.type,
            e.handle_id, (e.payload ->> 'validFrom')::timestamptz AS valid_from, (e.payload ->> 'customerId')::uuid AS customer_id,
            (e.payload -> 'customerIds' ->> 0)::uuid AS moved_id, (e.payload ->> 'undoes')::uuid AS undoes,
            e.payload ->> 'cause' AS cause, e.payload -> 'evidence' AS evidence,
            ARRAY(SELECT m::uuid FROM jsonb_array_elements_text(e.payload -> 'moved') AS m) AS ones,
            ARRAY(SELECT k::uuid FROM jsonb_array_elements_text(e.payload -> 'kept') AS k) AS others,
            ARRAY(SELECT o::uuid FROM jsonb_array_elements_text(e.payload -> 'overrides') AS o) AS overrides
        FROM (
\ir chunk.sql
            AND type IN ('HandleUnlinked', 'CustomersMerged', 'CustomersSplit', 'CustomerChangeUndone')
        ) AS e
    ) AS said
),
kept AS (
    INSERT INTO customer_changes (
        event_id, position, at, client_id, kind, ones, others, one_id, other_id, handle_id, valid_from, overrides, undone_by, cause,
        evidence
    )
    SELECT
        event_id, position, at, client_id,
        CASE type WHEN 'CustomersMerged' THEN 'merge' WHEN 'CustomersSplit' THEN 'split' ELSE 'cut' END, ones, others, moved_id,
        customer_id, CASE WHEN type = 'HandleUnlinked' THEN handle_id END, valid_from, overrides,
        (SELECT u.event_id FROM stated AS u WHERE u.undoes = s.event_id AND u.client_id = s.client_id LIMIT 1), cause, evidence
    FROM stated AS s
    WHERE whole
    ORDER BY position
    ON CONFLICT (event_id) DO NOTHING
),
undone AS (
    UPDATE customer_changes AS t SET undone_by = s.event_id
    FROM stated AS s
    WHERE t.event_id = s.undoes AND t.client_id = s.client_id
    RETURNING t.ones, t.others, t.handle_id
),
named AS (
    SELECT ones || others AS ids, CASE WHEN type = 'HandleUnlinked' THEN handle_id END AS handle_id
    FROM stated WHERE whole
    UNION ALL
    SELECT ones || others, handle_id FROM undone
)
SELECT
    ARRAY(SELECT DISTINCT unnest(ids) FROM named) AS changed,
    ARRAY(SELECT DISTINCT handle_id FROM named WHERE handle_id IS NOT NULL) AS cut
