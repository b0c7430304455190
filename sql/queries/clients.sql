-- Every client that has a configuration or an account, with the current version.
SELECT
    known.client_id,
    coalesce(latest.version, 0) AS version,
    latest.document,
    latest.created_at,
    latest.actor,
    (SELECT count(*) FROM accounts AS a WHERE a.client_id = known.client_id) AS accounts
FROM (SELECT client_id FROM clients UNION SELECT client_id FROM accounts) AS known
LEFT JOIN LATERAL (
    SELECT c.version, c.document, c.created_at, c.actor
    FROM clients AS c
    WHERE c.client_id = known.client_id
    ORDER BY c.version DESC
    LIMIT 1
) AS latest ON true
ORDER BY known.client_id
