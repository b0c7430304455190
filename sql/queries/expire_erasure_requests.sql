-- Notes of the erasures of a client whose time to be approved is over that it is, so that they can be asked for again.
UPDATE erasure_requests SET decision = 'expired', decided_at = expires_at
WHERE client_id = %(client_id)s AND decision IS NULL AND expires_at <= now()
