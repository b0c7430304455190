-- As `link_new`, for one of `parts` parts of a range of the log: a message of ours is of one part. A provider's id that two messages
-- have is linked to one of them; that it is left is seen by `rebuild_kinds`.
WITH both_ids AS MATERIALIZED (
    SELECT client_id, theirs, ours
    FROM (
        SELECT DISTINCT client_id, reference AS theirs, message_reference(client_id, message_id) AS ours
        FROM (
\ir chunk.sql
            AND provider_message_id IS NOT NULL AND message_id IS NOT NULL
        ) AS tied
    ) AS pair
    WHERE (uuid_hash_extended(ours, 0) & 2147483647) %% %(parts)s = %(part)s - 1
),
\ir link_single.sql
