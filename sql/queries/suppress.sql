-- Keeps opt-outs of addresses that are being erased: the latest of each counts.
INSERT INTO suppressions AS s (client_id, digest, channel, since)
SELECT %(client_id)s, digest, channel, max(since)
FROM unnest(%(digests)s::bytea[], %(channels)s::text[], %(times)s::timestamptz[]) AS given (digest, channel, since)
GROUP BY digest, channel
ORDER BY digest, channel
ON CONFLICT (client_id, digest, channel) DO UPDATE SET since = greatest(s.since, excluded.since)
