-- Part of `append` and `record`: the number of new events, the places in the batch of the repeated ones (looked up only if
-- there are any), and the block of the raw records that were stored with them. Raises 40E01 (`handle_erased`) if a handle of the
-- batch was erased since it was found: an erasure takes the lock of `writing` alone for a moment, so that this either ended before or
-- sees it.
(SELECT count(*) FROM fresh) AS appended,
CASE WHEN (SELECT count(*) FROM fresh) < (SELECT count(*) FROM incoming) THEN ARRAY(
    SELECT i.place::integer - 1 FROM incoming AS i WHERE i.position NOT IN (SELECT f.position FROM fresh AS f)
) END AS repeated,
CASE WHEN %(kept)s THEN currval('raw_webhooks_block_seq') END AS block,
\ir erased.sql
AS erased,
