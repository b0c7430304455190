-- What a lane knows of its account's failures, the keys under which requests were taken, and messages by state.

-- `failed_at`: when a failure was last counted, or a pause asked for: what was in flight by then is the same failure.
-- `probing_until`: of a lane in trouble, until when the one call that tries whether its account is well may take.
ALTER TABLE lanes
    ADD COLUMN failed_at timestamptz,
    ADD COLUMN probing_until timestamptz;

-- One key names one message of a client, whether it came as the header Idempotency-Key or as the member idempotencyKey.
-- `id` NULL: the key is that of a request for several messages.
CREATE TABLE message_keys (
    client_id text COLLATE "C" NOT NULL,
    key text COLLATE "C" NOT NULL,
    id uuid,
    CONSTRAINT message_keys_pkey PRIMARY KEY (client_id, key)
);

-- What was taken under a header before: the answer names its message.
INSERT INTO message_keys (client_id, key, id)
SELECT k.client_id, k.key, message_reference(k.client_id, k.answer ->> 'messageId')
FROM (SELECT client_id, key, convert_from(answer, 'UTF8')::jsonb AS answer FROM idempotency_keys) AS k;

-- The states in which somebody looks for messages; those that nearly all messages pass through are left out, for speed.
CREATE INDEX messages_by_state ON messages (client_id, state, changed_at, id)
WHERE state IN ('held', 'retrying', 'unanswered', 'failed', 'expired', 'cancelled');

GRANT SELECT, INSERT ON message_keys TO threadline_service;
GRANT SELECT ON message_keys TO threadline_reader;
