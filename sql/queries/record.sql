-- Appends the new events of a batch, for `project` to fold. Returns the columns of `repeats`, and whether some events have
-- both ids of a message that are not linked yet, and whether some link handles or decide on customers.
\ir incoming.sql
SELECT
\ir repeats.sql
    EXISTS (
        -- Scalar subqueries are looked up by index, whatever the planner's estimate of the table's size.
        SELECT FROM (
            SELECT
                (SELECT l.interaction_id FROM interaction_links AS l WHERE l.reference = e.reference) AS theirs_in,
                (
                    SELECT l.interaction_id FROM interaction_links AS l
                    WHERE l.reference = message_reference(e.client_id, e.message_id)
                ) AS ours_in
            FROM fresh AS e
            WHERE e.provider_message_id IS NOT NULL AND e.message_id IS NOT NULL
        ) AS known
        WHERE theirs_in IS NULL OR theirs_in IS DISTINCT FROM ours_in
    ) AS unlinked,
    EXISTS (SELECT FROM fresh WHERE type IN
\ir relating_types.sql
    ) AS relating,
    pg_current_xact_id()::text::bigint AS xid, now() AS recorded_at
