-- Adds a version of a client's configuration, unless it equals the current one, or the current one is not the expected.
WITH latest AS (
    SELECT version, document, created_at, actor
    FROM clients
    WHERE client_id = %(client_id)s
    ORDER BY version DESC
    LIMIT 1
),
added AS (
    INSERT INTO clients (client_id, version, document, actor)
    SELECT %(client_id)s, coalesce((SELECT version FROM latest), 0) + 1, %(document)s, %(actor)s
    WHERE (%(expected)s::integer IS NULL OR coalesce((SELECT version FROM latest), 0) = %(expected)s::integer)
        AND (SELECT document FROM latest) IS DISTINCT FROM %(document)s
    RETURNING version, document, created_at, actor
),
noted AS (
    INSERT INTO audit (actor, client_id, action, subject, detail, key_id, address, request_id)
    SELECT
        actor, %(client_id)s, 'client.set', %(client_id)s, jsonb_build_object('version', version),
        %(by_key)s::uuid, %(address)s::text, %(request_id)s::text
    FROM added
)
SELECT added.version IS NOT NULL AS added,
    coalesce(latest.version, 0) AS before,
    latest.document AS replaced,
    coalesce(added.version, latest.version, 0) AS version,
    coalesce(added.document, latest.document) AS document,
    coalesce(added.created_at, latest.created_at) AS created_at,
    coalesce(added.actor, latest.actor) AS actor
FROM (VALUES (1)) AS one
LEFT JOIN latest ON true
LEFT JOIN added ON true
