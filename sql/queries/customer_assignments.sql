-- The assignments of some customers, by their ids or by those of customers that were merged into them: `asked` is the id that was
-- given. MATERIALIZED, since a policy would keep a function's result from being looked up by an index.
WITH asked AS MATERIALIZED (
    SELECT given AS id, present_customer(%(client_id)s, given) AS now FROM unnest(%(customers)s::uuid[]) AS given
)
SELECT
    asked.id AS asked, a.customer_id, a.id, a.own_id, a.handle_id,
    nullif(a.valid_from, '-infinity') AS valid_from, nullif(a.valid_to, 'infinity') AS valid_to, h.kind, h.sealed AS value
FROM asked
JOIN assignments AS a ON a.customer_id = asked.now AND a.client_id = %(client_id)s
JOIN handles AS h ON h.id = a.handle_id AND h.erased_at IS NULL
-- Whose an address was is forgotten with the person.
WHERE NOT EXISTS (
    SELECT FROM erased_intervals AS gone
    WHERE gone.handle_id = a.handle_id AND gone.valid_from <= a.valid_from AND a.valid_to <= gone.valid_to
)
ORDER BY a.id
