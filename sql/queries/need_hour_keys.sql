-- Notes that the keys of webhooks since a time are still needed: a door has some that are not on Kafka yet.
UPDATE hour_keys SET needed_at = now()
WHERE purpose IN ('records', 'blobs') AND sealed IS NOT NULL
    AND hour >= date_trunc('hour', %(since)s::timestamptz, 'UTC') - interval '1 hour' AND hour <= now()
