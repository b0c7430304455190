-- An erasure that waits for a second person, or waited for one.
\ir erasure_requested.sql
WHERE r.id = %(id)s AND (%(client_id)s::text IS NULL OR r.client_id = %(client_id)s)
