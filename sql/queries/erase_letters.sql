-- A page of a client's dead letters with their records, by their ids.
SELECT id, value, detail, items, reason FROM dead_letters
WHERE client_id = %(client_id)s AND id > %(after)s
ORDER BY id LIMIT %(limit)s
