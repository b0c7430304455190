-- Part of `append`, `project` and `move`: joins `facts` into the interactions. Each column is joined by a function that is
-- commutative, associative and idempotent (the earliest time, the least text, the union of sets), so that the order of
-- events does not matter.
\ir folded.sql
,
projected AS (
    INSERT INTO interactions AS i (
        id, client_id, channel, direction, provider, provider_message_id, message_id, user_handle_id, address_handle_id,
        content, changes,
        failure, setback, "timestamp",
\each {column},
        failed_by, reached_by, deferred_by, given_up, named, last_change
    )
    SELECT * FROM folded
    ORDER BY id, client_id
    ON CONFLICT (id, client_id) DO UPDATE SET
        channel = least(i.channel, excluded.channel),
        direction = least(i.direction, excluded.direction),
        provider = least(i.provider, excluded.provider),
        provider_message_id = least(i.provider_message_id, excluded.provider_message_id),
        message_id = least(i.message_id, excluded.message_id),
        user_handle_id = least(i.user_handle_id, excluded.user_handle_id),
        address_handle_id = least(i.address_handle_id, excluded.address_handle_id),
        content = CASE
            WHEN excluded.content IS NULL THEN i.content
            WHEN i.content IS NULL THEN excluded.content
            ELSE content_join(i.content, excluded.content)
        END,
        changes = CASE
            WHEN excluded.changes IS NULL THEN i.changes
            WHEN i.changes IS NULL THEN excluded.changes
            ELSE changes_join(i.changes, excluded.changes)
        END,
        failure = CASE
            WHEN excluded.failure IS NULL THEN i.failure
            ELSE least(i.failure::text COLLATE "C", excluded.failure::text)::jsonb
        END,
        setback = CASE
            WHEN excluded.setback IS NULL THEN i.setback
            ELSE least(i.setback::text COLLATE "C", excluded.setback::text)::jsonb
        END,
        "timestamp" = least(i."timestamp", excluded."timestamp"),
\each {column} = least(i.{column}, excluded.{column}),
        failed_by = i.failed_by | excluded.failed_by,
        reached_by = i.reached_by | excluded.reached_by,
        deferred_by = i.deferred_by | excluded.deferred_by,
        given_up = i.given_up | excluded.given_up,
        named = CASE
            WHEN i.named IS NOT NULL OR excluded.named IS NOT NULL OR i.user_handle_id <> excluded.user_handle_id
                OR i.address_handle_id <> excluded.address_handle_id
                THEN named_handles(
                    i.named || excluded.named
                    || ARRAY[i.user_handle_id, i.address_handle_id, excluded.user_handle_id, excluded.address_handle_id],
                    least(i.user_handle_id, excluded.user_handle_id), least(i.address_handle_id, excluded.address_handle_id)
                )
        END,
        last_change = greatest(i.last_change, excluded.last_change)
    WHERE NOT i.superseded
    RETURNING 1
)
