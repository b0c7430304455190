-- Stores the callback of a client's configuration. Another URL, or one that had been removed, starts without failures.
INSERT INTO callbacks AS c (client_id, url, types, concurrency)
VALUES (%(client_id)s, %(url)s, %(types)s, %(concurrency)s)
ON CONFLICT (client_id) DO UPDATE SET
    url = excluded.url,
    types = excluded.types,
    concurrency = excluded.concurrency,
    failing_since = CASE WHEN c.url = excluded.url THEN c.failing_since END,
    failures = CASE WHEN c.url = excluded.url THEN c.failures ELSE 0 END,
    disabled_at = CASE WHEN c.url = excluded.url AND c.disabled_reason <> %(removed)s THEN c.disabled_at END,
    disabled_reason = CASE WHEN c.url = excluded.url AND c.disabled_reason <> %(removed)s THEN c.disabled_reason END
WHERE (c.url, c.types, c.concurrency) IS DISTINCT FROM (excluded.url, excluded.types, excluded.concurrency)
    OR c.disabled_reason = %(removed)s
RETURNING client_id
