-- Accounts whose calls fail: the end of the pause, the cause, and whether the account is probed one message at a time.
SELECT
    client_id, account, open_until, trouble, failures, failures >= %(trouble)s AS probed,
    CASE WHEN open_until > now() THEN open_until END AS rests_until
FROM lanes
WHERE (failures >= %(trouble)s OR open_until > now()) AND trouble IS NOT NULL
ORDER BY client_id, account
LIMIT %(limit)s
