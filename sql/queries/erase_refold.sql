-- Joins what `erase_folded` has given into the interactions.
WITH facts AS (
    SELECT
        i.id,
\ir facts_again.sql
    FROM unnest(%(folded)s::text[]) AS f (interaction)
    CROSS JOIN LATERAL jsonb_populate_record(NULL::interactions, f.interaction::jsonb) AS i
    CROSS JOIN LATERAL unnest(i.named || ARRAY[i.user_handle_id, i.address_handle_id]) AS n (handle_id)
),
\ir fold.sql
SELECT
    (SELECT count(*) FROM projected) AS folded,
    CASE WHEN (SELECT count(*) FROM projected) <> (SELECT count(*) FROM folded) THEN superseded_meanwhile() END
