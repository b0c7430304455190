-- Stores a batch's raw records as a block; `append` sets the block in their events.
INSERT INTO raw_webhooks (records, size, body) VALUES (%(records)s, %(size)s, %(body)b)
