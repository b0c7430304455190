-- The session with a secret, by its hash, which may be that of the secret before the last rotation (`former`); whether it is `alive`,
-- `due` for another secret, and whether the former secret is still good (`still_good`). A use is noted once a minute.
WITH found AS MATERIALIZED (
    SELECT
        id, issuer, subject, holder, clients, scopes, created_at, used_at,
        hash <> %(hash)b AS former,
        used_at > now() - %(idle)s AND created_at > now() - %(absolute)s AS alive,
        rotated_at <= now() - %(rotate)s AS due,
        rotated_at > now() - %(overlap)s AS still_good
    FROM sessions
    WHERE hash = %(hash)b OR former_hash = %(hash)b
),
used AS (
    UPDATE sessions AS s SET used_at = now()
    FROM found AS f
    WHERE s.id = f.id AND f.alive AND (NOT f.former OR f.still_good) AND s.used_at < now() - interval '1 minute'
)
SELECT id, issuer, subject, holder, clients, scopes, created_at, former, alive, due, still_good FROM found
