-- Records the keys of requests for several messages. Returns those that were free.
INSERT INTO message_keys (client_id, key)
SELECT client_id, key FROM unnest(%(client_id)s::text[], %(key)s::text[]) AS given (client_id, key)
ORDER BY client_id, key
ON CONFLICT (client_id, key) DO NOTHING
RETURNING key
