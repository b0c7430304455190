-- Part of `link_new` and `pairs`: the two references of every message for which an event in a range of the log has both ids.
both_ids AS MATERIALIZED (
    SELECT DISTINCT client_id, reference AS theirs, message_reference(client_id, message_id) AS ours
    FROM (
\ir chunk.sql
        AND provider_message_id IS NOT NULL AND message_id IS NOT NULL
    ) AS linking
)
