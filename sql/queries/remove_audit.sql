-- Removes some entries of the audit that are older than `age`.
WITH removed AS (
    DELETE FROM audit WHERE position = ANY (ARRAY(
        SELECT position FROM audit WHERE at < now() - %(age)s::interval ORDER BY at LIMIT %(limit)s
    ))
    RETURNING position
)
SELECT count(*) AS audit FROM removed
