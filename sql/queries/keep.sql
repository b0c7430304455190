-- Keeps a batch's records as they came; `append` notes the block in their events.
INSERT INTO raw_webhooks (records, size, body) VALUES (%(records)s, %(size)s, %(body)b)
