-- The number of the last change of any account, 0 if there was none.
SELECT coalesce(max(change), 0) AS change FROM account_changes
