-- Links the messages of a range of the log whose provider's id is in no interaction yet, which are most. There is nothing to
-- merge, so that the id is barred (see `supersede`) and linked in one statement. Returns how many pairs are left for `link`
-- and the statements after it.
WITH
\ir pairs_new.sql
,
\ir link_single.sql
SELECT count(*) AS pairs_left
FROM known
WHERE theirs NOT IN (SELECT id FROM barred) AND (theirs_in IS NULL OR theirs_in IS DISTINCT FROM ours_in)
