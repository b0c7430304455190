-- Assigns each handle that has no assignment yet to the customer that it is by itself; links join them afterwards.
INSERT INTO assignments (handle_id, customer_id, client_id)
SELECT h.id, h.customer_id, h.client_id
FROM threadline.handles AS h
WHERE h.kind <> 'nobody' AND NOT EXISTS (SELECT FROM assignments AS a WHERE a.handle_id = h.id)
