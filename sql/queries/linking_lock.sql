-- Keeps others from linking messages of a client until the transaction ends, as `link_lock` does.
SELECT pg_advisory_xact_lock(29798, hashtext(%(client_id)s))
