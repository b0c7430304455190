-- How far the log is settled: whatever transactions before this one appended is visible to a statement that begins after this
-- one, and will not grow. Only those that append are waited for, which hold a lock (`writing`) from before they have their
-- number until after their commit is visible. `upto` is read before the locks are: of the transactions below it, each had
-- taken its lock by then, and still holds it or is over. One that has the lock and not yet its number to be seen (it is between
-- two instructions) may have any: then the oldest transaction of the server counts, which is always right and seldom as far.
-- On the primary only: a standby does not show these locks.
WITH running AS MATERIALIZED (
    SELECT pg_snapshot_xmin(s)::text::bigint AS oldest, pg_snapshot_xmax(s)::text::bigint AS upto
    FROM pg_current_snapshot() AS s
),
locks AS MATERIALIZED (
    SELECT virtualtransaction, locktype, transactionid::text::bigint AS low
    FROM pg_locks
    WHERE (SELECT oldest < upto FROM running) AND granted
        AND CASE locktype
            WHEN 'transactionid' THEN mode = 'ExclusiveLock'
            WHEN 'advisory' THEN classid = 29796 AND objid = 12 AND objsubid = 2
                AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
            ELSE false
        END
),
writers AS (
    SELECT
        virtualtransaction,
        -- A lock shows the lower 32 bits of the number; it is less than 2^31 away from `upto`. A subtransaction has one of
        -- its own, which is higher.
        min(upto + mod(low - mod(upto, 4294967296) + 6442450944, 4294967296) - 2147483648)
            FILTER (WHERE locktype = 'transactionid') AS xid
    FROM locks, running
    GROUP BY virtualtransaction
    HAVING bool_or(locktype = 'advisory')
)
SELECT CASE
    WHEN EXISTS (SELECT FROM writers WHERE xid IS NULL) THEN oldest
    ELSE greatest(oldest, least(upto, (SELECT min(xid) FROM writers)))
END AS horizon
FROM running
