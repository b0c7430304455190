-- Whether a claim would look at a lane: whether one of the hints that `claim` reads is there. A claim costs seven times as much to start
-- as this, with nothing due.
SELECT
    EXISTS (SELECT FROM lanes_due WHERE state = 'ready')
    OR EXISTS (SELECT FROM lanes_due WHERE state = 'resting' AND due_at <= now())
    -- No pause is that long: the clock was set back.
    OR EXISTS (SELECT FROM lanes_due WHERE state = 'resting' AND due_at > now() + make_interval(secs => %(rest)s + 1))
    OR EXISTS (SELECT FROM lanes_due WHERE state = 'later' AND due_at <= now())
    AS due
