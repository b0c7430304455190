-- Messages that were last touched in the future were so before the database's clock was set back: they are due as long after
-- now as they were to be after then. How many. Reads each message that waits, as `sending_counts` does.
WITH mended AS (
    UPDATE messages SET due_at = now() + (due_at - changed_at), changed_at = now()
    WHERE waiting AND state IN ('sending', 'retrying', 'queued', 'watched') AND changed_at > now() + interval '5 s'
        AND due_at > now()
    RETURNING id
)
SELECT count(*) AS messages FROM mended
