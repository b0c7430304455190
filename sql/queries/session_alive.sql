-- Whether a session has not ended.
SELECT id FROM sessions
WHERE id = %(id)s AND used_at > now() - %(idle)s AND created_at > now() - %(absolute)s
