-- One decision on a client's customers.
SELECT t.event_id, t.kind, t.undone_by, t.one_id, t.other_id
FROM customer_changes AS t
WHERE t.event_id = %(event_id)s AND t.client_id = %(client_id)s
