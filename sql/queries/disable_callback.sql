-- Disables a callback; its deliveries go on waiting.
UPDATE callbacks SET disabled_at = now(), disabled_reason = %(reason)s
WHERE client_id = %(client_id)s AND disabled_at IS NULL
RETURNING client_id
