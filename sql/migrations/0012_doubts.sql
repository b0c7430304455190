-- Messages of which a call went unanswered, so that they may have been taken: whoever claims one knows, whatever became of
-- the worker that made the call.
ALTER TABLE messages
    ADD COLUMN doubted boolean NOT NULL DEFAULT false,
    ADD COLUMN checks integer NOT NULL DEFAULT 0;

COMMENT ON COLUMN messages.doubted IS 'Whether a provider may have taken it though no answer came; of `unanswered` ones the state says so.';
COMMENT ON COLUMN messages.checks IS 'Which time its provider is asked next whether it took it; 0: it is not.';

-- Those that a provider's word may settle.
DROP INDEX messages_unanswered;

CREATE INDEX messages_in_doubt ON messages (id) WHERE state = 'unanswered' OR (state = 'retrying' AND doubted);
