-- Of the erasures: how many there are in each state, and the age of the oldest in seconds.
SELECT state, count(*) AS erasures, coalesce(extract(epoch FROM now() - min(requested_at)), 0)::double precision AS oldest
FROM erasures
GROUP BY state
