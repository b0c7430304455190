-- The latest erasures of a client that wait for a second person, or were refused or not approved in time.
\ir erasure_requested.sql
WHERE r.client_id = %(client_id)s AND r.decision IS DISTINCT FROM 'approved'
ORDER BY r.requested_at DESC, r.id
LIMIT %(limit)s
