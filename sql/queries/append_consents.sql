-- As `append`, for batches with opt-outs or opt-ins: others need not pay for what sees to these.
\ir incoming.sql
,
\ir facts.sql
,
\ir consented.sql
,
\ir fold.sql
SELECT
\ir repeats.sql
    CASE WHEN (SELECT count(*) FROM projected) <> (SELECT count(*) FROM folded) THEN superseded_meanwhile() END
