-- Removes some dead letters that were recorded, and last replayed or discarded, longer ago than `age`, which the function takes
-- as a day at least. Never one that waits for its replay. What another transaction has locked is left for the next time.
SELECT remove_dead_letters(%(age)s::interval, %(limit)s::integer) AS dead_letters
