-- A client's callback.
SELECT client_id, url, types, created_at, failing_since, disabled_at, disabled_reason
FROM callbacks WHERE client_id = %(client_id)s
