-- Removes the hint of a client whose callback is disabled, so that it is not looked at until it is enabled.
DELETE FROM clients_due AS h
USING (SELECT client_id, id FROM clients_due WHERE client_id = %(client_id)s FOR UPDATE SKIP LOCKED) AS old
WHERE h.client_id = old.client_id AND h.id = old.id
    AND NOT EXISTS (SELECT FROM callbacks AS c WHERE c.client_id = %(client_id)s AND c.disabled_at IS NULL)
