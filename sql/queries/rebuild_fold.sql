-- Folds one of `parts` parts of a range of the log into the interactions and consents. An interaction's events are all of one
-- part, once the range is linked; what has none goes by its handle.
WITH fresh AS MATERIALIZED (
    SELECT * FROM (
\ir chunk.sql
    ) AS e
    WHERE %(parts)s = 1 OR (
        uuid_hash_extended(
            coalesce(
\ir interaction_of.sql
                , e.handle_id, e.id
            ), 0
        ) & 2147483647
    ) %% %(parts)s = %(part)s - 1
),
\ir facts.sql
,
\ir fold.sql
SELECT
    (SELECT count(*) FROM fresh) AS events,
    CASE WHEN (SELECT count(*) FROM projected) <> (SELECT count(*) FROM folded) THEN superseded_meanwhile() END
