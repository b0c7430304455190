-- Merges the linked components that a range of the log connects. A component's id is the least of its message references, so
-- that it does not depend on the order of the links.
WITH RECURSIVE
\ir pairs.sql
,
edges AS (
    SELECT
        pairs.client_id, coalesce(p.interaction_id, theirs) AS a, p.interaction_id IS NOT NULL AS a_is_ours,
        coalesce(m.interaction_id, ours) AS b
    FROM pairs
    LEFT JOIN interaction_links AS p ON p.reference = theirs
    LEFT JOIN interaction_links AS m ON m.reference = ours
),
ways AS (
    SELECT a AS node, b AS other FROM edges
    UNION
    SELECT b, a FROM edges
),
reached (root, node) AS (
    SELECT b, b FROM edges
    UNION
    SELECT a, a FROM edges WHERE a_is_ours
    UNION
    SELECT root, other FROM reached JOIN ways USING (node)
),
winners AS (
    SELECT DISTINCT ON (node) node, root AS winner FROM reached ORDER BY node, root
),
members AS (
    SELECT client_id, a AS reference, a AS node FROM edges
    UNION
    SELECT client_id, b, b FROM edges
    UNION
    SELECT l.client_id, l.reference, l.interaction_id
    FROM interaction_links AS l
    JOIN winners ON l.interaction_id = node
)
INSERT INTO interaction_links AS l (reference, interaction_id, client_id)
SELECT reference, winner, client_id FROM members JOIN winners USING (node)
ORDER BY reference
ON CONFLICT (reference) DO UPDATE SET interaction_id = excluded.interaction_id
WHERE l.interaction_id <> excluded.interaction_id
