-- Removes some interactions of an erasure's handles and intervals, with the links, messages, attempts, keys, kept answers and deliveries that belong
-- to them, and keeps by which references they were known. Returns how many interactions were removed.
WITH one AS MATERIALIZED (SELECT id, client_id, handles FROM erasures WHERE id = %(id)s),
chosen AS MATERIALIZED (
    SELECT i.id, i.client_id
    FROM one
    JOIN interactions AS i ON i.handle_id = ANY (one.handles) AND i.client_id = one.client_id
    UNION ALL
    SELECT i.id, i.client_id
    FROM erased_intervals AS v
    JOIN interactions AS i ON i.handle_id = v.handle_id AND i.client_id = v.client_id AND i."timestamp" >= v.valid_from
        AND i."timestamp" < v.valid_to
    WHERE v.erasure_id = %(id)s
    LIMIT %(limit)s
),
named AS MATERIALIZED (
    SELECT id AS reference, client_id FROM chosen
    UNION
    SELECT l.reference, l.client_id FROM chosen AS c JOIN interaction_links AS l ON l.interaction_id = c.id
),
noted AS (
    INSERT INTO erased_references (reference, client_id, erasure_id)
    SELECT n.reference, n.client_id, one.id FROM named AS n CROSS JOIN one
    ON CONFLICT (reference, client_id) DO NOTHING
),
told AS (
    DELETE FROM deliveries AS d
    USING (
        SELECT v.id, v.client_id FROM named AS n JOIN events AS v ON v.reference = n.reference AND v.client_id = n.client_id
    ) AS gone
    WHERE d.client_id = gone.client_id AND d.event_id = gone.id
),
-- The arrays make them look-ups by index, whatever the planner believes of the tables' sizes.
keyed AS (
    DELETE FROM message_keys WHERE id = ANY (ARRAY(SELECT reference FROM named)) RETURNING client_id, key
),
answered AS (
    DELETE FROM idempotency_keys AS a USING keyed AS k WHERE a.client_id = k.client_id AND a.key = k.key
),
tried AS (
    DELETE FROM attempts WHERE id = ANY (ARRAY(SELECT reference FROM named))
),
sent AS (
    DELETE FROM messages AS m USING one WHERE m.id = ANY (ARRAY(SELECT reference FROM named)) AND m.client_id = one.client_id
),
unlinked AS (
    DELETE FROM interaction_links AS l USING chosen AS c WHERE l.interaction_id = c.id
),
-- With those that were joined to them, which bar the way to writers.
removed AS (
    DELETE FROM interactions AS i USING named AS n WHERE (i.id, i.client_id) = (n.reference, n.client_id)
)
SELECT count(*) AS interactions FROM chosen
