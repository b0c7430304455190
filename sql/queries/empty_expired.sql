-- Empties the events of interactions that were removed, by their references; returns how many. A statement of its own, so that it sees
-- what was appended before they were locked.
SELECT empty_expired(array_agg(v.xid), array_agg(v.position)) AS events
FROM events AS v
WHERE v.reference = ANY (%(references)s) AND v.client_id = %(client_id)s
