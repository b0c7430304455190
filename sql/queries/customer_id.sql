-- Part of the queries that read a customer: its present id, which differs from the given one if that customer was merged since. The
-- usual case is answered here, since the function's plan, of four look-ups, takes as long to set up as a fifth of a page takes.
(SELECT coalesce(
    (
        SELECT own.customer_id FROM assignments AS own
        WHERE own.customer_id = %(customer_id)s::uuid AND (%(client_id)s::text IS NULL OR own.client_id = %(client_id)s) LIMIT 1
    ),
    present_customer(%(client_id)s, %(customer_id)s::uuid)
))
