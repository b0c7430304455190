-- Whether an event in a stretch of the log knows its message by both ids, or was told before by others, so that something is
-- to be linked.
SELECT EXISTS (
\ir chunk.sql
    AND (provider_message_id IS NOT NULL AND message_id IS NOT NULL OR identity IS NOT NULL)
) AS linking
