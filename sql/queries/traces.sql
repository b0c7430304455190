-- Returns the traces of messages by their references (see `Reference`), each with its place in the list. Messages that were not
-- traced are left out.
WITH given AS MATERIALIZED (
    SELECT
        place::integer - 1 AS place,
        CASE
            WHEN r ->> 2 IS NOT NULL THEN message_reference(r ->> 0, r ->> 2)
            WHEN r ->> 4 IS NOT NULL THEN recipient_reference(r ->> 0, r ->> 1, r ->> 3, h.id)
            ELSE provider_reference(r ->> 0, r ->> 1, r ->> 3)
        END AS reference
    FROM jsonb_array_elements(%(references)s) WITH ORDINALITY AS each (r, place)
    LEFT JOIN handles AS h ON h.client_id = r ->> 0 AND h.digest = decode(r ->> 4, 'hex')
),
named AS (
    SELECT place, reference FROM given
    UNION
    SELECT given.place, other.reference
    FROM given
    JOIN interaction_links AS mine ON mine.reference = given.reference
    JOIN interaction_links AS other ON other.interaction_id = mine.interaction_id
    UNION
    SELECT given.place, mine.interaction_id
    FROM given
    JOIN interaction_links AS mine ON mine.reference = given.reference
)
SELECT DISTINCT named.place, m.trace
FROM named
JOIN messages AS m ON m.id = named.reference AND m.id = ANY (ARRAY(SELECT reference FROM named))
WHERE m.trace IS NOT NULL
