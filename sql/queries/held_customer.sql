-- Part of the statements about legal holds: the present id of the customer of a hold `d`, which was set under the id that he had then.
present_customer(d.client_id, d.customer_id)
