-- A recipient's profile, as the client set it.
SELECT zone, changed_at
FROM profiles
WHERE handle_id = handle_id(%(client_id)s, %(kind)s || E'\x1f' || %(value)s)
