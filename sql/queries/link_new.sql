-- Links the messages of a stretch of the log whose provider's id nobody has told of before, which are most: there is
-- nothing to join, so that the id is barred (see `supersede`) and linked, in one statement. Gives how many pairs are left
-- for `link` and its like.
WITH
\ir pairs.sql
,
known AS MATERIALIZED (
    SELECT pairs.client_id, theirs, ours, p.interaction_id AS theirs_in, m.interaction_id AS ours_in
    FROM pairs
    LEFT JOIN interaction_links AS p ON p.reference = theirs
    LEFT JOIN interaction_links AS m ON m.reference = ours
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
fresh_links AS (
    SELECT known.theirs AS reference, coalesce(ours_in, ours) AS interaction_id, client_id
    FROM barred
    JOIN known ON known.theirs = barred.id
    UNION
    SELECT known.ours, known.ours, client_id
    FROM barred
    JOIN known ON known.theirs = barred.id
    WHERE ours_in IS NULL
),
linked AS (
    INSERT INTO interaction_links (reference, interaction_id, client_id)
    SELECT reference, interaction_id, client_id FROM fresh_links
    ORDER BY reference
)
SELECT count(*) AS pairs_left
FROM known
WHERE theirs NOT IN (SELECT id FROM barred) AND (theirs_in IS NULL OR theirs_in IS DISTINCT FROM ours_in)
