-- Which handles, and when, an erasure was asked for. What providers and services link with them afterwards is not part of it: nobody
-- asked for that, and no second person approved it.

ALTER TABLE erasure_requests ADD COLUMN asked uuid[];
ALTER TABLE erasures ADD COLUMN asked uuid[];

COMMENT ON COLUMN erasure_requests.asked IS 'The assignments that the customer had when it was asked for.';
COMMENT ON COLUMN erasures.asked IS 'The assignments that the customer had when it was asked for; NULL: of before this was noted, or a repetition, which names its handles.';

-- Those that wait are of what the customer has now.
UPDATE erasure_requests AS r SET asked = ARRAY(
    SELECT a.id FROM assignments AS a
    WHERE a.client_id = r.client_id AND a.customer_id = present_customer(r.client_id, r.customer_id) ORDER BY a.id
)
WHERE r.decision IS NULL;

UPDATE erasures AS e SET asked = ARRAY(
    SELECT a.id FROM assignments AS a
    WHERE a.client_id = e.client_id AND a.customer_id = present_customer(e.client_id, e.customer_id) ORDER BY a.id
)
WHERE e.state = 'requested' AND e.repeats IS NULL;

-- Who asks once more while one is under way, after a link, asks for another. By the hash: a thousand ids do not fit into an index.
DROP INDEX erasures_open, erasure_requests_waiting;
CREATE UNIQUE INDEX erasures_open ON erasures (client_id, customer_id, hash_array_extended(asked, 0)) WHERE state <> 'completed' AND repeats IS NULL;
CREATE UNIQUE INDEX erasure_requests_waiting ON erasure_requests (client_id, customer_id, hash_array_extended(asked, 0)) WHERE decision IS NULL;
