-- Removes an account, unless the current configuration has channels that use it; returns those channels.
WITH latest AS (
    SELECT document FROM clients WHERE client_id = %(client_id)s ORDER BY version DESC LIMIT 1
),
used AS (
    SELECT route ->> 'channel' AS channel
    FROM latest
    CROSS JOIN jsonb_array_elements(latest.document -> 'channels') AS route
    WHERE route ->> 'account' = %(name)s AND NOT %(spare)s::boolean
),
removed AS (
    DELETE FROM accounts
    WHERE client_id = %(client_id)s AND name = %(name)s AND NOT EXISTS (SELECT FROM used)
    RETURNING client_id, name, version
),
noted AS (
    INSERT INTO audit (actor, client_id, action, subject, detail, key_id, address, request_id)
    SELECT
        %(actor)s, client_id, 'account.removed', name, jsonb_build_object('version', version),
        %(by_key)s::uuid, %(address)s::text, %(request_id)s::text
    FROM removed
)
SELECT
    EXISTS (SELECT FROM removed) AS removed,
    EXISTS (SELECT FROM accounts WHERE client_id = %(client_id)s AND name = %(name)s) AS existed,
    ARRAY(SELECT channel FROM used) AS channels
