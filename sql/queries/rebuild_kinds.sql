-- Which kinds of events a range of the log has that link: with both ids of a message (`tied`), repeated events that differ
-- (`varied`), and events that link handles or decide on customers (`relating`).
SELECT
    coalesce(bool_or(provider_message_id IS NOT NULL AND message_id IS NOT NULL), false) AS tied,
    coalesce(bool_or(identity IS NOT NULL), false) AS varied,
    coalesce(bool_or(type IN
\ir relating_types.sql
    ), false) AS relating
FROM (
\ir chunk.sql
) AS span
