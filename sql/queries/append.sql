-- Appends the new events of a batch and folds them into their interactions. For batches in which no event has both ids of a
-- message (see `record`). Returns the columns of `repeats`. Raises serialization_failure if an interaction was merged into
-- another between this statement's read and its write.
\ir incoming.sql
,
\ir facts.sql
,
\ir fold.sql
SELECT
\ir repeats.sql
    CASE WHEN (SELECT count(*) FROM projected) <> (SELECT count(*) FROM folded) THEN superseded_meanwhile() END
