-- Part of the queries that read a customer: its present id, which differs from the given one if that customer was
-- joined to another since. Every id that was ever given out is that of a handle by itself.
(SELECT coalesce(
    (
        SELECT own.customer_id FROM handles AS c JOIN assignments AS own ON own.handle_id = c.id
        WHERE c.customer_id = %(customer_id)s AND c.client_id = %(client_id)s
    ),
    %(customer_id)s
))
