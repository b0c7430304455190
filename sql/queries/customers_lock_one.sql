-- Serialises decisions on a client's customers, with each other and with the links of handles (see `customers_lock`).
SELECT pg_advisory_xact_lock(29799, hashtext(%(client_id)s))
