-- The horizon of the log: all that transactions below it appended is visible to any later statement, and complete. Only
-- appending transactions hold it back. Each holds a lock (`writing`) from before it gets its number until after its commit is
-- visible. `upto` is read before the locks: each transaction below it had taken its lock by then, and either still holds it or
-- has ended. If a transaction holds the lock but shows no number yet (it is between two instructions), the number is unknown; then
-- the oldest transaction of the server is used, which is always correct but usually lower.
-- Works on the primary only: a standby does not show these locks.
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
