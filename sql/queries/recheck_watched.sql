-- Makes watched messages due on which providers reported a failure, so that the next channel starts. They are
-- locked in the order of `settle`, so that the two cannot deadlock.
WITH given AS MATERIALIZED (
    SELECT CASE
        WHEN r ->> 2 IS NOT NULL THEN message_reference(r ->> 0, r ->> 2)
        WHEN r ->> 4 IS NOT NULL THEN recipient_reference(r ->> 0, r ->> 1, r ->> 3, h.id)
        ELSE provider_reference(r ->> 0, r ->> 1, r ->> 3)
    END AS reference
    FROM jsonb_array_elements(%(references)s) AS each (r)
    LEFT JOIN handles AS h ON h.client_id = r ->> 0 AND h.digest = decode(r ->> 4, 'hex')
),
named AS (
    SELECT reference FROM given
    UNION
    SELECT other.reference
    FROM given
    JOIN interaction_links AS mine ON mine.reference = given.reference
    JOIN interaction_links AS other ON other.interaction_id = mine.interaction_id
)
UPDATE messages AS m SET due_at = now(), changed_at = now()
FROM (
    SELECT id FROM messages WHERE id = ANY (ARRAY(SELECT reference FROM named)) AND state = 'watched' ORDER BY id FOR NO KEY UPDATE
) AS watched
WHERE m.id = watched.id
