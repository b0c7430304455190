-- A client's callback.
SELECT client_id, url, types, concurrency, created_at, failing_since, recovered_at, disabled_at, disabled_reason
FROM callbacks WHERE client_id = %(client_id)s
