-- Makes watched messages due on which providers reported a failure, so that the next channel starts.
WITH given AS MATERIALIZED (
    SELECT CASE
        WHEN r ->> 2 IS NOT NULL THEN message_reference(r ->> 0, r ->> 2)
        WHEN r ->> 4 IS NOT NULL THEN recipient_reference(r ->> 0, r ->> 1, r ->> 3, handle_id(r ->> 0, r ->> 4))
        ELSE provider_reference(r ->> 0, r ->> 1, r ->> 3)
    END AS reference
    FROM jsonb_array_elements(%(references)s) AS each (r)
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
FROM named
WHERE m.id = named.reference AND m.state = 'watched'
