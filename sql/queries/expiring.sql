-- Of each store whose rows end: the time from which the oldest row's age counts, and how many rows are due, counted up to
-- `most`. An age that is NULL means for ever: then none is due. Rows that must stay, whatever their age, are not looked at.
SELECT
    'messages' AS store,
    (
        SELECT min(changed_at) FROM messages AS m
        WHERE state IN ('sent', 'failed', 'expired', 'cancelled') AND NOT doubted
            AND NOT (
\ir kept_by_hold.sql
            )
    ) AS oldest,
    (
        SELECT count(*) FROM (
            SELECT FROM messages AS m
            WHERE state IN ('sent', 'failed', 'expired', 'cancelled') AND NOT doubted
                AND changed_at < now() - %(messages)s::interval
                AND NOT (
\ir kept_by_hold.sql
                )
            LIMIT %(most)s
        ) AS due
    ) AS due
UNION ALL
SELECT
    'idempotency_keys', (SELECT min(created_at) FROM idempotency_keys),
    (
        SELECT count(*) FROM (
            SELECT FROM idempotency_keys WHERE created_at < now() - %(idempotency_keys)s::interval LIMIT %(most)s
        ) AS due
    )
UNION ALL
SELECT
    'dead_letters',
    (SELECT min(coalesce(greatest(replayed_at, discarded_at), recorded_at)) FROM dead_letters WHERE NOT replay_due),
    (
        SELECT count(*) FROM (
            SELECT FROM dead_letters
            WHERE NOT replay_due
                AND coalesce(greatest(replayed_at, discarded_at), recorded_at) < now() - %(dead_letters)s::interval
            LIMIT %(most)s
        ) AS due
    )
UNION ALL
SELECT
    -- In whole batches, once they are sealed.
    'audit', (SELECT min(sealed_at) FROM audit_heads WHERE forgotten_at IS NULL),
    (
        SELECT least(coalesce(sum(entries), 0), %(most)s)::bigint FROM audit_heads
        WHERE forgotten_at IS NULL AND sealed_at < now() - %(audit)s::interval
    )
UNION ALL
SELECT
    'gaps', (SELECT min(acknowledged_at) FROM gaps),
    (SELECT count(*) FROM (SELECT FROM gaps WHERE acknowledged_at < now() - %(gaps)s::interval LIMIT %(most)s) AS due)
