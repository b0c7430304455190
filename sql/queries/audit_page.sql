-- A page of a client's audit, newest first, before a position. A parameter that is NULL matches all.
SELECT position, at, actor, client_id, action, subject, detail, key_id, address, request_id, why
FROM audit
WHERE client_id = %(client_id)s
    AND (%(before)s::bigint IS NULL OR position < %(before)s)
    AND (%(actor)s::text IS NULL OR actor = %(actor)s)
    AND (%(action)s::text IS NULL OR action = %(action)s)
    AND (%(subject)s::text IS NULL OR subject = %(subject)s)
    AND (%(since)s::timestamptz IS NULL OR at >= %(since)s)
    AND (%(until)s::timestamptz IS NULL OR at < %(until)s)
ORDER BY position DESC
LIMIT %(limit)s
