-- A recipient's profile, as the client set it.
SELECT p.zone, p.changed_at
FROM handles AS h
JOIN profiles AS p ON p.handle_id = h.id
WHERE h.client_id = %(client_id)s AND h.digest = %(digest)s
