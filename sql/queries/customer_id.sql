-- Part of the queries that read a customer: its present id, which is another than the given one where that has been joined to
-- another customer since. An id that was once given out is a handle's.
coalesce(
    (SELECT c.customer_id FROM handles AS c WHERE c.id = %(customer_id)s AND c.client_id = %(client_id)s), %(customer_id)s
)
