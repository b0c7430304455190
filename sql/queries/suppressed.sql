-- Which of some addresses are suppressed on which channels: `digests` are those of their suppressions, `handles` those by which their
-- handles are found. An address that opted in again on that channel since is not.
SELECT given.number::integer - 1 AS place, s.channel, s.since
FROM unnest(%(clients)s::text[], %(digests)s::bytea[], %(handles)s::bytea[])
    WITH ORDINALITY AS given (client_id, digest, handle, number)
JOIN suppressions AS s ON s.client_id = given.client_id AND s.digest = given.digest
LEFT JOIN handles AS h ON h.client_id = given.client_id AND h.digest = given.handle
LEFT JOIN consents AS c ON c.handle_id = h.id AND c.channel = s.channel
WHERE c.opted_in_at IS NULL OR c.opted_in_at <= s.since
ORDER BY 1, 2
