-- Gives the customers of handles that got new links, and of all that were one with them.
SELECT assign_customers(%(changed)s::uuid[])
