-- Notes that a dead letter's record was put on its topic again.
UPDATE dead_letters SET replayed_at = now() WHERE id = %(id)s
