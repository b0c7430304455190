-- Changes the events that an erasure takes out of interactions, as far as they are in the log; returns how many.
SELECT separate_events(%(id)s) AS events
