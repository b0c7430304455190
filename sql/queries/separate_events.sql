-- Takes noted events out of their interactions, or empties them: `only` these (NULL: all that are left).
SELECT separate_events(%(id)s, %(only)s::uuid[])
