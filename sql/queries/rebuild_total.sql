-- How many events there are, for the progress bar.
SELECT count(*) AS total FROM events
