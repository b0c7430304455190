-- Records in the audit log who changed a callback, and what.
INSERT INTO audit (actor, client_id, action, subject, detail)
VALUES (%(actor)s, %(client_id)s, %(action)s, 'callback', %(detail)s)
