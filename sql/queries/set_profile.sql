-- Sets a recipient's profile. Setting the same again changes nothing.
INSERT INTO profiles AS p (handle_id, client_id, zone)
VALUES (%(handle_id)s, %(client_id)s, %(zone)s)
ON CONFLICT (handle_id) DO UPDATE SET
    zone = excluded.zone,
    changed_at = CASE WHEN p.zone IS DISTINCT FROM excluded.zone THEN excluded.changed_at ELSE p.changed_at END
RETURNING zone, changed_at
