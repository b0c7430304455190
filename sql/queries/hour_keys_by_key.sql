-- How many keys of raw records are encrypted by which key of the settings, by its id.
SELECT encode(substring(sealed FOR 8), 'hex') AS key_id, count(*) AS keys
FROM hour_keys WHERE sealed IS NOT NULL
GROUP BY key_id
ORDER BY key_id
