-- Destroys the keys and values of an erasure's handles; returns of how many.
SELECT destroy_handles(%(id)s) AS handles
