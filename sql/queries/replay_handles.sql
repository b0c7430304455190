-- A page of a client's handles that are not erased, by their ids.
SELECT id, kind, salt, sealed FROM handles
WHERE client_id = %(client_id)s AND id > %(after)s AND erased_at IS NULL AND kind <> 'nobody'
ORDER BY id LIMIT %(limit)s
