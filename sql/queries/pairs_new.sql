-- Part of `link_new` and `pairs`: the two references of every message that an event in a stretch of the log knows by both ids.
both_ids AS MATERIALIZED (
    SELECT DISTINCT client_id, reference AS theirs, message_reference(client_id, message_id) AS ours
    FROM (
\ir chunk.sql
        AND provider_message_id IS NOT NULL AND message_id IS NOT NULL
    ) AS linking
)
