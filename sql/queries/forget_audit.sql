-- Removes the entries of the oldest sealed batches that are older than so many days, at least 30; their heads stay.
SELECT batches, entries FROM forget_audit(%(days)s, %(limit)s)
