-- The stored answer to a request with this key.
SELECT k.fingerprint, k.status, k.answer, k.created_at
FROM idempotency_keys AS k
WHERE k.client_id = %(client_id)s AND k.key = %(key)s
