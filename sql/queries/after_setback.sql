-- Corrects messages that were last changed in the future, before the database's clock was set back: they become due as long after
-- now as they were to be after that change. Returns how many. Reads each message that waits, as `sending_counts` does.
WITH mended AS (
    UPDATE messages SET due_at = now() + (due_at - changed_at), changed_at = now()
    WHERE waiting AND state IN ('sending', 'retrying', 'queued', 'watched') AND changed_at > now() + interval '5 s'
        AND due_at > now()
    RETURNING id
)
SELECT count(*) AS messages FROM mended
