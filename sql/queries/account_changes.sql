-- The accounts that changed after a given change, each once, as it is now; a removed account has only its name.
SELECT c.change, c.client_id, c.name, a.adapter, a.source, a.url, a.trusted, a.sealed
FROM account_changes AS c
LEFT JOIN accounts AS a ON a.client_id = c.client_id AND a.name = c.name
WHERE c.change > %(after)s
ORDER BY c.change
LIMIT %(limit)s
