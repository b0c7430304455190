-- Adds or replaces an account. The old sealed settings are gone.
WITH written AS (
    INSERT INTO accounts AS a (client_id, name, version, adapter, source, url, trusted, sealed, key_id)
    VALUES (
        %(client_id)s, %(name)s, 1, %(adapter)s, %(source)s, %(url)s, %(trusted)s, %(sealed)b, %(key_id)s
    )
    ON CONFLICT (client_id, name) DO UPDATE SET
        version = a.version + 1,
        adapter = excluded.adapter,
        source = excluded.source,
        url = excluded.url,
        trusted = excluded.trusted,
        sealed = excluded.sealed,
        key_id = excluded.key_id,
        changed_at = now()
    RETURNING client_id, name, version, adapter, source, url, trusted, sealed, key_id, created_at, changed_at
),
noted AS (
    INSERT INTO audit (actor, client_id, action, subject, detail, key_id, address, request_id)
    SELECT
        %(actor)s,
        client_id,
        'account.set',
        name,
        jsonb_build_object(
            'version', version, 'adapter', adapter, 'source', source, 'url', url, 'trusted', trusted, 'key', key_id,
            'settings', %(settings)s::text[]
        ),
        %(by_key)s::uuid,
        %(address)s::text,
        %(request_id)s::text
    FROM written
)
SELECT * FROM written
