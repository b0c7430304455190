-- Sets the customers of assignments that got new links or are in new decisions, and of all that shared a customer with them, where
-- nothing was ever decided. Returns the others (`decided`), and how many assignments the largest component has (`most`).
SELECT decided, most FROM assign_customers(%(changed)s::uuid[])
