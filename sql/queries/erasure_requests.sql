-- The latest erasures of all clients that wait for a second person, or were refused or not approved in time.
\ir erasure_requested.sql
WHERE r.decision IS DISTINCT FROM 'approved'
ORDER BY r.requested_at DESC, r.id
LIMIT %(limit)s
