-- The secrets that sign a client's deliveries now, the newest first.
SELECT version, sealed FROM callback_secrets
WHERE client_id = %(client_id)s AND (expires_at IS NULL OR expires_at > now())
ORDER BY version DESC
