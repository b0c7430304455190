-- Enables a callback.
UPDATE callbacks SET disabled_at = NULL, disabled_reason = NULL, failing_since = NULL, failures = 0
WHERE client_id = %(client_id)s AND coalesce(disabled_reason, '') <> %(removed)s
RETURNING client_id
