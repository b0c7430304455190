-- The sessions that have not ended of people who may act for a client, the latest first, also those who may act for others too.
SELECT id, issuer, holder, scopes, created_at, used_at
FROM sessions
WHERE clients @> ARRAY[%(client_id)s::text] AND used_at > now() - %(idle)s AND created_at > now() - %(absolute)s
    AND (%(holder)s::text IS NULL OR holder = %(holder)s)
    AND (%(after_at)s::timestamptz IS NULL OR (created_at, id) < (%(after_at)s, %(after_id)s::uuid))
ORDER BY created_at DESC, id DESC
LIMIT %(limit)s
