-- Cancels the messages to a customer that wait; marks those that are being sent, so that they are not sent again. Returns how many of
-- them still are, by a worker that has not died.
WITH theirs AS MATERIALIZED (
\ir erased_handles.sql
),
held AS MATERIALIZED (
    SELECT i.id
    FROM theirs AS t
    JOIN interactions AS i ON i.handle_id = t.id AND i.client_id = %(client_id)s
    WHERE NOT t.shared
    UNION
    SELECT i.id
    FROM theirs AS t
    JOIN interactions AS i ON i.named @> ARRAY[t.id] AND i.client_id = %(client_id)s
    WHERE NOT t.shared
    UNION
    SELECT i.id
    FROM theirs AS t
    JOIN (
\ir asked_assignments.sql
    ) AS a ON a.handle_id = t.id
    JOIN interactions AS i ON i.handle_id = t.id AND i.client_id = a.client_id AND i."timestamp" >= a.valid_from
        AND i."timestamp" < a.valid_to
    WHERE t.shared
),
cancelled AS (
    UPDATE messages AS m SET
        state = CASE WHEN m.state IN ('sending', 'watched') THEN m.state ELSE 'cancelled' END, cancelled = true,
        changed_at = now()
    WHERE m.id = ANY (ARRAY(
            SELECT id FROM held
            UNION
            SELECT l.reference FROM held AS h JOIN interaction_links AS l ON l.interaction_id = h.id
        ))
        AND m.client_id = %(client_id)s AND (m.waiting OR m.state = 'unanswered')
        -- Not another customer's, whose message has the same id at the provider.
        AND EXISTS (
            SELECT FROM jsonb_array_elements(m.handles) AS a (address) JOIN theirs AS t ON t.id = (a.address ->> 2)::uuid
        )
    RETURNING m.state, m.due_at
)
SELECT count(*) FILTER (WHERE state = 'sending' AND due_at > now()) AS leaving, count(*) AS messages FROM cancelled
