-- What is left to link in a range of the log, once its parts were tied: events with both ids of a message that are not in one
-- interaction, or repeated events that differ (`linking`), and events that link handles or decide on customers (`relating`).
SELECT
    coalesce(bool_or(identity IS NOT NULL), false)
    OR coalesce(bool_or(
        CASE WHEN e.provider_message_id IS NOT NULL AND e.message_id IS NOT NULL THEN coalesce(
            (SELECT l.interaction_id FROM interaction_links AS l WHERE l.reference = e.reference) <> (
                SELECT l.interaction_id FROM interaction_links AS l
                WHERE l.reference = message_reference(e.client_id, e.message_id)
            ), true
        ) END
    ), false) AS linking,
    coalesce(bool_or(type IN
\ir relating_types.sql
    ), false) AS relating
FROM (
\ir chunk.sql
) AS e
