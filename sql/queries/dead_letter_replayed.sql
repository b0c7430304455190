-- Marks a dead letter as replayed: its record was published on its topic again.
UPDATE dead_letters SET replayed_at = now() WHERE id = %(id)s
