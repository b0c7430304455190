-- Whether entries that are in no batch are to be sealed: there are as many as a batch has, or the first of them has waited so long.
SELECT count(*) >= %(limit)s OR coalesce(min(u.at) <= now() - %(waits)s::interval, false) AS due
FROM (
\ir audit_unsealed.sql
) AS u
