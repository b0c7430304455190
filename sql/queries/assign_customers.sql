-- Sets the customers of handles that got new links, and of all handles that shared a customer with them.
SELECT assign_customers(%(changed)s::uuid[])
