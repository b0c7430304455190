-- Marks the interactions of linked references as superseded, and creates those that do not exist yet. The row is a barrier:
-- a writer who read before the link existed waits on it, fails, and retries.
WITH
\ir pairs.sql
,
\ir losers.sql
INSERT INTO interactions AS i (id, client_id, superseded)
SELECT reference, client_id, true FROM losers
ORDER BY reference, client_id
ON CONFLICT (id, client_id) DO UPDATE SET superseded = true
WHERE NOT i.superseded
