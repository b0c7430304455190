-- Appends the new ones of a batch's events and folds them into their interactions. For batches in which no event carries
-- both ids of a message (see `record`). Gives how many were new. Raises serialization_failure where an interaction was
-- joined to another between our look and our write.
\ir incoming.sql
,
\ir facts.sql
,
\ir fold.sql
SELECT
\ir repeats.sql
    CASE WHEN (SELECT count(*) FROM projected) <> (SELECT count(*) FROM folded) THEN superseded_meanwhile() END
