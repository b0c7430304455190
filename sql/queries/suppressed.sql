-- Which of some addresses are suppressed on which channels. An address whose handle opted in again on that channel since is not.
SELECT given.number::integer - 1 AS place, s.channel, s.since
FROM unnest(%(clients)s::text[], %(digests)s::bytea[], %(handles)s::uuid[]) WITH ORDINALITY AS given (client_id, digest, handle_id, number)
JOIN suppressions AS s ON s.client_id = given.client_id AND s.digest = given.digest
LEFT JOIN consents AS c ON c.handle_id = given.handle_id AND c.channel = s.channel
WHERE c.opted_in_at IS NULL OR c.opted_in_at <= s.since
ORDER BY 1, 2
