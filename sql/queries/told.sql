-- Of messages whose fate a provider just told: an attempt without an answer turns out to have been sent, and one that is
-- watched is looked at again. The references are those of the events just appended.
WITH given AS MATERIALIZED (
    SELECT
        (r ->> 4)::boolean AS failing,
        CASE
            WHEN r ->> 2 IS NOT NULL THEN message_reference(r ->> 0, r ->> 2)
            ELSE provider_reference(r ->> 0, r ->> 1, r ->> 3)
        END AS reference
    FROM jsonb_array_elements(%(told)s) AS each (r)
),
named AS (
    SELECT given.reference, given.failing FROM given
    UNION
    SELECT other.reference, given.failing
    FROM given
    JOIN interaction_links AS mine ON mine.reference = given.reference
    JOIN interaction_links AS other ON other.interaction_id = mine.interaction_id
)
UPDATE messages AS m SET
    state = CASE WHEN m.state = 'unanswered' THEN 'sent' ELSE m.state END,
    due_at = CASE WHEN m.state = 'watched' THEN now() ELSE m.due_at END,
    cause = CASE WHEN m.state = 'unanswered' THEN 'the provider told of it' ELSE m.cause END,
    changed_at = now()
FROM named
WHERE m.id = named.reference AND (m.state = 'unanswered' OR (m.state = 'watched' AND named.failing))
