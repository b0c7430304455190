-- Removes the reasons of decisions that an erasure's customer took part in; returns of how many.
SELECT erase_causes(%(id)s) AS causes
