-- Part of the queries that read a customer: its present id, which differs from the given one if that customer was
-- joined to another since. Every id that was ever given out is the id of a handle.
coalesce(
    (SELECT c.customer_id FROM handles AS c WHERE c.id = %(customer_id)s AND c.client_id = %(client_id)s), %(customer_id)s
)
