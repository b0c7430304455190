-- Notes what is to be asked for an erasure; what is noted stays as it is.
INSERT INTO provider_erasures (erasure_id, client_id, account, source, target)
SELECT e.id, e.client_id, g.account, g.source, g.target
FROM erasures AS e
CROSS JOIN unnest(%(accounts)s::text[], %(sources)s::text[], %(targets)s::text[]) AS g (account, source, target)
WHERE e.id = %(id)s AND e.state = 'searched'
ORDER BY g.source, g.target
ON CONFLICT (erasure_id, source, target) DO NOTHING
