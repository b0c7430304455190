-- Empties the kept answers that name messages to an erasure's customer. The key stays, so that a repeat of the request sends nothing.
UPDATE idempotency_keys AS k SET fingerprint = NULL, answer = NULL, handles = '{}'
FROM (
\ir erased_answers.sql
) AS his
WHERE k.client_id = his.client_id AND k.key = his.key
