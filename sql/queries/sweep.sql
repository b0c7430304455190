-- Settles messages whose call went unanswered and on which the provider has reported since: they were sent.
UPDATE messages AS m SET state = 'sent', doubted = false, checks = 0, cause = 'the provider has reported on it', changed_at = now()
FROM (
    SELECT w.id
    FROM messages AS w
    LEFT JOIN interaction_links AS l ON l.reference = w.id
    JOIN interactions AS i ON i.id = coalesce(l.interaction_id, w.id) AND i.client_id = w.client_id
    WHERE (w.state = 'unanswered' OR (w.state = 'retrying' AND w.doubted))
        AND coalesce(i.sent_at, i.delivered_at, i.failed_at, i.bounced_at, i.read_at, i.opened_at) IS NOT NULL
    ORDER BY w.id
    LIMIT 1000
    FOR UPDATE OF w SKIP LOCKED
) AS reported
WHERE m.id = reported.id
RETURNING m.id
