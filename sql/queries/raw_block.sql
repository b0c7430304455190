-- One block of raw webhooks.
SELECT day, records, size, body FROM raw_webhooks WHERE block = %(block)s
