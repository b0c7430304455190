-- How a callback did. Gives the reason where this ends it: it says that it is gone, or nothing reached it for too long.
-- What came of another URL, that it had before, says nothing of this one.
UPDATE callbacks SET
    failing_since = CASE WHEN %(delivered)s THEN NULL ELSE coalesce(failing_since, now()) END,
    disabled_at = CASE WHEN %(gone)s OR (NOT %(delivered)s AND failing_since < now() - %(patience)s) THEN now() END,
    disabled_reason = CASE
        WHEN %(gone)s THEN 'gone'
        WHEN NOT %(delivered)s AND failing_since < now() - %(patience)s THEN 'failing'
    END
WHERE client_id = %(client_id)s AND url = %(url)s AND disabled_at IS NULL
    AND (
        %(gone)s
        OR (%(delivered)s AND failing_since IS NOT NULL)
        OR (NOT %(delivered)s AND (failing_since IS NULL OR failing_since < now() - %(patience)s))
    )
RETURNING disabled_reason
