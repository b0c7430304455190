-- Notes who changed what of a callback.
INSERT INTO audit (actor, client_id, action, subject, detail)
VALUES (%(actor)s, %(client_id)s, %(action)s, 'callback', %(detail)s)
