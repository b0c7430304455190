-- Takes an erasure for a step, if it is in that step's state and nobody else has taken it.
SELECT id, client_id, customer_id, handles, state FROM erasures WHERE id = %(id)s AND state = %(state)s FOR UPDATE SKIP LOCKED
