-- The secrets that sign now, of all callbacks that are not disabled.
SELECT s.client_id, s.version, s.sealed
FROM callback_secrets AS s
JOIN callbacks AS c ON c.client_id = s.client_id
WHERE c.disabled_at IS NULL AND (s.expires_at IS NULL OR s.expires_at > now())
ORDER BY s.client_id, s.version
