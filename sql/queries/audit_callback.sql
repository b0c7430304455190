-- Records in the audit log who changed a callback, and what.
INSERT INTO audit (actor, client_id, action, subject, detail, key_id, address, request_id)
VALUES (%(actor)s, %(client_id)s, %(action)s, 'callback', %(detail)s, %(by_key)s::uuid, %(address)s::text, %(request_id)s::text)
