-- Locks the consents of a range of the log for `consents_lowered`, in one order: others that fold events of them end first, or wait.
SELECT 1
FROM consents AS c
WHERE (c.handle_id, c.channel) IN (
\ir consents_chunk.sql
)
ORDER BY c.handle_id, c.channel
FOR UPDATE
