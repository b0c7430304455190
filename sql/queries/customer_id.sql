-- Part of the queries that read a customer: its present id, which differs from the given one if that customer was merged since.
(SELECT present_customer(%(client_id)s, %(customer_id)s::uuid))
