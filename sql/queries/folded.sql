-- Part of `fold`, and of `erase_folded`: joins `facts` by interaction.
folded AS MATERIALIZED (
    SELECT
        id, client_id,
        min(channel) AS channel,
        min(direction) AS direction,
        min(provider) AS provider,
        min(provider_message_id) AS provider_message_id,
        min(message_id) AS message_id,
        min(user_handle_id COLLATE "C")::uuid AS user_handle_id,
        min(address_handle_id COLLATE "C")::uuid AS address_handle_id,
        content_join(content) AS content,
        changes_join(changes) AS changes,
        min(failure::text COLLATE "C")::jsonb AS failure,
        min(setback::text COLLATE "C")::jsonb AS setback,
        min("timestamp") AS "timestamp",
\each min({column}) AS {column},
        bit_or(failed_by) AS failed_by,
        bit_or(reached_by) AS reached_by,
        bit_or(deferred_by) AS deferred_by,
        bit_or(given_up) AS given_up,
        CASE
            WHEN bool_or(apart) OR min(user_handle_id) <> max(user_handle_id) OR min(address_handle_id) <> max(address_handle_id)
                THEN named_handles(
                    array_agg(named), min(user_handle_id COLLATE "C")::uuid, min(address_handle_id COLLATE "C")::uuid
                )
        END AS named,
        max(last_change) AS last_change
    FROM facts
    GROUP BY id, client_id
)
