-- The splits that keep some assignments apart from some others.
SELECT t.event_id
FROM customer_changes AS t
WHERE t.client_id = %(client_id)s AND t.kind = 'split' AND t.undone_by IS NULL
    AND (
        t.ones && %(ones)s::uuid[] AND t.others && %(others)s::uuid[]
        OR t.ones && %(others)s::uuid[] AND t.others && %(ones)s::uuid[]
    )
ORDER BY t.event_id
