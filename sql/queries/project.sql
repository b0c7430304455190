-- Folds a range of the log into the interactions.
WITH fresh AS MATERIALIZED (
\ir chunk.sql
),
\ir facts.sql
,
\ir fold.sql
SELECT
    (SELECT count(*) FROM fresh) AS events,
    CASE WHEN (SELECT count(*) FROM projected) <> (SELECT count(*) FROM folded) THEN superseded_meanwhile() END
