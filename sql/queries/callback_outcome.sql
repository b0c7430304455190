-- Records how posts to a callback went. Returns the reason if they disable it: it answered that it is gone, or every post has
-- failed for too long. Outcomes of an earlier URL are ignored. A success after failures in a row ends an outage.
UPDATE callbacks SET
    failing_since = CASE WHEN %(delivered)s THEN NULL ELSE coalesce(failing_since, now()) END,
    recovered_at = CASE WHEN %(delivered)s AND failures >= %(outage)s THEN now() ELSE recovered_at END,
    failures = CASE WHEN %(delivered)s THEN 0 ELSE least(failures + %(failed)s, %(outage)s) END,
    disabled_at = CASE WHEN %(gone)s OR (NOT %(delivered)s AND failing_since < now() - %(patience)s) THEN now() END,
    disabled_reason = CASE
        WHEN %(gone)s THEN 'gone'
        WHEN NOT %(delivered)s AND failing_since < now() - %(patience)s THEN 'failing'
    END
WHERE client_id = %(client_id)s AND url = %(url)s AND disabled_at IS NULL
    AND (
        %(gone)s
        OR (%(delivered)s AND failing_since IS NOT NULL)
        OR (
            NOT %(delivered)s
            AND (failing_since IS NULL OR failures < %(outage)s OR failing_since < now() - %(patience)s)
        )
    )
RETURNING disabled_reason
