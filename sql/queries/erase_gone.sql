-- Notes references of an erasure's customer that only the archive has, since the interactions are gone, as by retention: what is told of
-- them later is known as erased, and a rebuild leaves them out. Where there is an interaction, it says whose it is.
INSERT INTO erased_references (reference, client_id, erasure_id)
SELECT r.id, e.client_id, e.id
FROM erasures AS e
CROSS JOIN unnest(%(references)s::uuid[]) AS r (id)
WHERE e.id = %(id)s
    AND NOT EXISTS (SELECT FROM interactions AS i WHERE i.id = r.id AND i.client_id = e.client_id)
    AND NOT EXISTS (SELECT FROM interaction_links AS l WHERE l.reference = r.id AND l.client_id = e.client_id)
ON CONFLICT (reference, client_id) DO NOTHING
