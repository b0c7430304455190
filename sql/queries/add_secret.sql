-- Adds a client's next secret.
INSERT INTO callback_secrets (client_id, version, sealed)
SELECT %(client_id)s, coalesce(max(version), 0) + 1, %(sealed)b
FROM callback_secrets WHERE client_id = %(client_id)s
RETURNING version
