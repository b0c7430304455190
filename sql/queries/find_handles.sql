-- Finds handles by their digests, in the order of the list: those that are known, with the salt of their keys.
SELECT given.number::integer - 1 AS place, k.id, k.salt
FROM jsonb_array_elements(%(handles)s) WITH ORDINALITY AS given (h, number)
CROSS JOIN LATERAL (
    SELECT id, salt FROM handles WHERE client_id = h ->> 0 AND digest = decode(h ->> 1, 'hex')
    -- OFFSET 0 makes it a look-up by index, whatever the planner's estimate of the table's size.
    OFFSET 0
) AS k
