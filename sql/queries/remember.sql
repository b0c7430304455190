-- Keeps answers to requests under their Idempotency-Keys. Gives those that were kept: not where another transaction is
-- answering one just now.
INSERT INTO idempotency_keys (client_id, key, fingerprint, status, answer)
SELECT client_id, key, fingerprint, status, answer
FROM unnest(
    %(client_id)s::text[], %(key)s::text[], %(fingerprint)s::bytea[], %(status)s::integer[], %(answer)s::bytea[]
) AS given (client_id, key, fingerprint, status, answer)
WHERE pg_try_advisory_xact_lock(29797, hashtext(client_id || E'\x1f' || key))
RETURNING key
