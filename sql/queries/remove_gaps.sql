-- Removes some gaps that were acknowledged longer ago than `age`. An open gap stays.
WITH removed AS (
    DELETE FROM gaps WHERE (topic, partition, from_offset) IN (
        SELECT topic, partition, from_offset FROM gaps
        WHERE acknowledged_at < now() - %(age)s::interval
        ORDER BY acknowledged_at LIMIT %(limit)s
        FOR UPDATE SKIP LOCKED
    )
    RETURNING topic
)
SELECT count(*) AS gaps FROM removed
