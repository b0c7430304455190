-- Stores answers to requests under their Idempotency-Keys. Returns those that were stored; an answer is skipped while another
-- transaction is answering a request with the same key.
INSERT INTO idempotency_keys (client_id, key, fingerprint, status, answer)
SELECT client_id, key, fingerprint, status, answer
FROM unnest(
    %(client_id)s::text[], %(key)s::text[], %(fingerprint)s::bytea[], %(status)s::integer[], %(answer)s::bytea[]
) AS given (client_id, key, fingerprint, status, answer)
WHERE pg_try_advisory_xact_lock(29797, hashtext(client_id || E'\x1f' || key))
RETURNING key
