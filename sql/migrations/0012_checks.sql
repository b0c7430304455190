-- How often a provider was asked whether it took a message whose attempt nobody answered: a message that is asked about is
-- not sent again before the answer, whoever claims it.
ALTER TABLE messages ADD COLUMN checks integer NOT NULL DEFAULT 0;

COMMENT ON COLUMN messages.checks IS 'Times that its provider is or was asked whether it took the last attempt; 0: no doubt.';

-- Those that a provider's word may settle.
DROP INDEX messages_unanswered;

CREATE INDEX messages_in_doubt ON messages (id) WHERE state = 'unanswered' OR (state = 'retrying' AND checks > 0);
