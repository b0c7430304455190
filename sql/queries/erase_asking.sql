-- What is to be asked for an erasure now, at most so many, and which is next (`due_at`) otherwise.
SELECT client_id, account, source, target, tries, due_at, due_at <= now() AS due
FROM provider_erasures
WHERE erasure_id = %(id)s AND state = 'due'
ORDER BY due_at, source, target
LIMIT %(limit)s
