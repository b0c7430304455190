-- Keeps the answer to a request under its Idempotency-Key. Gives nothing where another transaction is answering one just now.
INSERT INTO idempotency_keys (client_id, key, fingerprint, status, answer)
SELECT %(client_id)s, %(key)s, %(fingerprint)b, %(status)s, %(answer)b
WHERE pg_try_advisory_xact_lock(29797, hashtext(%(client_id)s || E'\x1f' || %(key)s))
RETURNING 1 AS kept
