-- Removes some tokens with expired signatures.
DELETE FROM used_tokens WHERE (source, token) IN (
    SELECT source, token FROM used_tokens WHERE seen_until < now() ORDER BY seen_until LIMIT %(limit)s FOR UPDATE SKIP LOCKED
)
RETURNING source
