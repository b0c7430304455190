-- Removes dead letters in which an erasure's addresses were found; returns how many.
SELECT erase_dead_letters(%(id)s, %(ids)s::uuid[]) AS letters
