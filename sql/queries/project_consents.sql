-- As `project`, for ranges that may have opt-outs or opt-ins.
WITH fresh AS MATERIALIZED (
\ir chunk.sql
),
\ir facts.sql
,
\ir consented.sql
,
\ir fold.sql
SELECT
    (SELECT count(*) FROM fresh) AS events,
    CASE WHEN (SELECT count(*) FROM projected) <> (SELECT count(*) FROM folded) THEN superseded_meanwhile() END
