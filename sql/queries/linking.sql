-- Whether a range of the log has events to link: with both ids of a message, or repeated events that differ.
SELECT EXISTS (
\ir chunk.sql
    AND (provider_message_id IS NOT NULL AND message_id IS NOT NULL OR identity IS NOT NULL)
) AS linking
