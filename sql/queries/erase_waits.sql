-- Notes what keeps an erasure waiting.
UPDATE erasures SET waits = %(reason)s WHERE id = %(id)s AND state <> 'completed' AND waits IS DISTINCT FROM %(reason)s
