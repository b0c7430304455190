-- Stores answers to requests under their Idempotency-Keys, with the addresses of their messages. Returns those that were stored; an
-- answer is skipped while another transaction is answering a request with the same key.
INSERT INTO idempotency_keys (client_id, key, fingerprint, status, answer, handles)
SELECT
    r ->> 0, r ->> 1, decode(r ->> 2, 'hex'), (r ->> 3)::integer, decode(r ->> 4, 'hex'),
    ARRAY(SELECT h::uuid FROM jsonb_array_elements_text(r -> 5) AS h)
FROM jsonb_array_elements(%(answers)s) AS given (r)
WHERE pg_try_advisory_xact_lock(29797, hashtext(r ->> 0 || E'\x1f' || (r ->> 1)))
RETURNING key
