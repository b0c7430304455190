-- Removes the entries of some of the oldest sealed batches that are older than `age`, which the function takes as 30 days at
-- least. Batches have up to a thousand entries, and there is one a minute: a hundred at once keep up.
SELECT entries AS audit FROM forget_audit(extract(day FROM %(age)s::interval)::integer, greatest(100, %(limit)s::integer / 1000))
