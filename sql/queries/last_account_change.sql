-- The last change of an account, 0 where there was none.
SELECT coalesce(max(change), 0) AS change FROM account_changes
