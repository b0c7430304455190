-- Whether a dead letter's record is to be put on its topic again, but for some topics.
SELECT EXISTS (SELECT FROM dead_letters WHERE replay_due AND topic <> ALL (%(resting)s::text[])) AS waits
