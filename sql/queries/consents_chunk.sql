-- Part of `consents_lock` and `consents_lowered`: the recipients and channels of opt-outs and opt-ins in a range of the log.
SELECT DISTINCT handle_id, coalesce(channel, '*') AS channel
FROM (
\ir chunk.sql
    AND handle_id IS NOT NULL AND type IN
\ir consent_types.sql
) AS told
