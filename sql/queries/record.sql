-- Appends the new ones of a batch's events, for `project` to fold. Gives how many were new, and whether some carry both
-- ids of a message that are not linked yet.
\ir incoming.sql
SELECT
    (SELECT count(*) FROM fresh) AS appended,
    EXISTS (
        SELECT FROM fresh AS e
        LEFT JOIN interaction_links AS p ON p.reference = e.reference
        LEFT JOIN interaction_links AS m ON m.reference = message_reference(e.client_id, e.message_id)
        WHERE e.provider_message_id IS NOT NULL AND e.message_id IS NOT NULL
            AND (p.reference IS NULL OR p.interaction_id IS DISTINCT FROM m.interaction_id)
    ) AS unlinked,
    pg_current_xact_id()::text::bigint AS xid
