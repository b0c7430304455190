-- Removes some dead letters that were recorded, and last replayed or discarded, longer ago than `age`. Never one that waits for
-- its replay. What another transaction has locked is left for the next time.
WITH removed AS (
    DELETE FROM dead_letters WHERE id = ANY (ARRAY(
        SELECT id FROM dead_letters
        WHERE NOT replay_due AND coalesce(greatest(replayed_at, discarded_at), recorded_at) < now() - %(age)s::interval
        ORDER BY coalesce(greatest(replayed_at, discarded_at), recorded_at) LIMIT %(limit)s
        FOR UPDATE SKIP LOCKED
    ))
    RETURNING id
)
SELECT count(*) AS dead_letters FROM removed
