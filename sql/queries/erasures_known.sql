-- Those of these erasures that are known and have at least their fence.
SELECT id FROM erasures WHERE id = ANY (%(ids)s::uuid[]) AND state <> 'requested'
