-- Removes some entries of the audit that are older than `age`, which the function takes as 30 days at least.
SELECT remove_audit(%(age)s::interval, %(limit)s::integer) AS audit
