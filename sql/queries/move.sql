-- Joins the facts of superseded interactions into the interactions that they are linked to.
WITH
\ir pairs.sql
,
\ir losers.sql
,
facts AS (
    SELECT
        l.interaction_id AS id,
\ir facts_again.sql
    FROM losers AS l
    JOIN interactions AS i ON (i.id, i.client_id) = (l.reference, l.client_id)
    CROSS JOIN LATERAL unnest(i.named || ARRAY[i.user_handle_id, i.address_handle_id]) AS n (handle_id)
    WHERE i.superseded AND i."timestamp" IS NOT NULL
),
\ir fold.sql
SELECT
    (SELECT count(*) FROM projected) AS moved,
    CASE WHEN (SELECT count(*) FROM projected) <> (SELECT count(*) FROM folded) THEN superseded_meanwhile() END
