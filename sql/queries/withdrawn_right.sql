-- Why somebody who asked for an erasure, or approves one, may not erase (any more): the API key is not in force (`key`), the session was
-- ended by another than its person (`session`), or the person has logged in since without the right (`log-in`). NULL where nothing is
-- known against it.
SELECT CASE
    WHEN starts_with(%(who)s::text, 'key:') THEN
        CASE WHEN NOT EXISTS (
            SELECT FROM api_keys
            WHERE id = %(credential)s::uuid AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > now())
        ) THEN 'key' END
    WHEN EXISTS (
        SELECT FROM audit
        WHERE action = 'session.end' AND subject = %(credential)s::uuid::text AND actor <> %(who)s
            AND detail ->> 'why' IN ('ended', 'copied', 'back-channel')
    ) THEN 'session'
    WHEN (
        SELECT action = 'session.refused' OR NOT (detail -> 'clients' ? %(client_id)s AND detail -> 'scopes' ? 'customers:erase')
        FROM audit
        WHERE action IN ('session.start', 'session.refused') AND actor = %(who)s AND at > %(since)s::timestamptz
            AND (detail ? 'scopes' OR detail ->> 'why' = 'no client')
        ORDER BY position DESC
        LIMIT 1
    ) THEN 'log-in'
END AS why
