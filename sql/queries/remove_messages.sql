-- Removes some messages whose outcome is older than `age`, with their attempts and their keys. Never one that waits, is
-- unanswered, watched or doubted, nor one to a customer under a legal hold. What another transaction has locked is left for the next time.
WITH chosen AS MATERIALIZED (
    SELECT id FROM messages AS m
    WHERE state IN ('sent', 'failed', 'expired', 'cancelled') AND NOT doubted AND changed_at < now() - %(age)s::interval
        AND NOT (
\ir kept_by_hold.sql
        )
    ORDER BY changed_at LIMIT %(limit)s
    FOR UPDATE SKIP LOCKED
),
-- The arrays make them look-ups by index, whatever the planner believes of the tables' sizes.
tried AS (
    DELETE FROM attempts WHERE id = ANY (ARRAY(SELECT id FROM chosen)) RETURNING id
),
named AS (
    DELETE FROM message_keys WHERE id = ANY (ARRAY(SELECT id FROM chosen)) RETURNING id
),
removed AS (
    DELETE FROM messages WHERE id = ANY (ARRAY(SELECT id FROM chosen)) RETURNING id
)
SELECT
    (SELECT count(*) FROM removed) AS messages, (SELECT count(*) FROM tried) AS attempts,
    (SELECT count(*) FROM named) AS message_keys
