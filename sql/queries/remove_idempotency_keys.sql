-- Removes some answers that were kept for longer than `age`, each with the key of a request for several messages that it
-- belongs to. The key of one message stays as long as the message.
WITH removed AS (
    DELETE FROM idempotency_keys WHERE ctid = ANY (ARRAY(
        SELECT ctid FROM idempotency_keys WHERE created_at < now() - %(age)s::interval ORDER BY created_at LIMIT %(limit)s
    ))
    RETURNING client_id, key
),
named AS (
    DELETE FROM message_keys AS k USING removed AS r
    WHERE k.client_id = r.client_id AND k.key = r.key AND k.id IS NULL
    RETURNING k.key
)
SELECT (SELECT count(*) FROM removed) AS idempotency_keys, (SELECT count(*) FROM named) AS message_keys
