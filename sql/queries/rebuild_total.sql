-- The number of events, for the progress bar.
SELECT count(*) AS total FROM events
