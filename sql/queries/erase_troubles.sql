-- Removes the last errors of the accounts of an erasure's client, which may quote the customer's address. The next failure says it anew.
UPDATE lanes AS l SET trouble = NULL
FROM erasures AS e
WHERE e.id = %(id)s AND l.client_id = e.client_id AND l.trouble IS NOT NULL
