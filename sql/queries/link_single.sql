-- Part of `link_new` and `rebuild_tie`: links those of `both_ids` whose provider's id is in no interaction yet.
known AS MATERIALIZED (
    -- Scalar subqueries are looked up by index, whatever the planner's estimate of the table's size.
    SELECT
        client_id, theirs, ours,
        (SELECT l.interaction_id FROM interaction_links AS l WHERE l.reference = theirs) AS theirs_in,
        (SELECT l.interaction_id FROM interaction_links AS l WHERE l.reference = ours) AS ours_in
    FROM both_ids
),
single AS (
    SELECT theirs, min(client_id) AS client_id
    FROM known
    GROUP BY theirs
    HAVING count(*) = 1 AND count(theirs_in) = 0
),
barred AS (
    INSERT INTO interactions (id, client_id, superseded)
    SELECT theirs, client_id, true FROM single
    ORDER BY theirs, client_id
    ON CONFLICT (id, client_id) DO NOTHING
    RETURNING id
),
mine AS MATERIALIZED (
    -- IS TRUE makes this a hashed subplan. The planner expects one row on each side, and would choose a nested loop.
    SELECT * FROM known WHERE (theirs IN (SELECT id FROM barred)) IS TRUE
),
fresh_links AS (
    SELECT theirs AS reference, coalesce(ours_in, ours) AS interaction_id, client_id FROM mine
    UNION
    SELECT ours, ours, client_id FROM mine WHERE ours_in IS NULL
),
linked AS (
    INSERT INTO interaction_links (reference, interaction_id, client_id)
    SELECT reference, interaction_id, client_id FROM fresh_links
    ORDER BY reference
    -- A message's own reference, where a rebuild ties another range at the same time.
    ON CONFLICT (reference) DO NOTHING
)
