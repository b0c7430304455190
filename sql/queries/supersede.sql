-- Bars the interactions of references that were linked to another, there or not yet: a writer who looked before the link
-- was there waits here, is refused by the bar, and looks again.
WITH
\ir pairs.sql
,
\ir losers.sql
INSERT INTO interactions AS i (id, client_id, superseded)
SELECT reference, client_id, true FROM losers
ORDER BY reference, client_id
ON CONFLICT (id, client_id) DO UPDATE SET superseded = true
WHERE NOT i.superseded
