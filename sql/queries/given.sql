-- Part of `incoming` and `differing`: the events of a batch (`r`) with the ids of their handles (`whose`), of which `own` and
-- `other` are the places. A link of two handles is named by their ids, in the log and in its own id.
(
    SELECT
        r, place, handle_id, related_id,
        CASE
            WHEN related_id IS NULL THEN r ->> 4
            ELSE 'linked ' || least(handle_id, related_id)::text || ' ' || greatest(handle_id, related_id)::text
        END AS source_event_id,
        CASE WHEN related_id IS NULL THEN r -> 12 ELSE (r -> 12) - 'handles' END AS payload
    FROM (
        SELECT r, place, (SELECT ids FROM whose)[own] AS handle_id, (SELECT ids FROM whose)[other] AS related_id
        FROM ROWS FROM (
            jsonb_array_elements(%(events)s), unnest(%(own)s::integer[]), unnest(%(other)s::integer[])
        ) WITH ORDINALITY AS each (r, own, other, place)
    ) AS placed
) AS given
