-- The handles of an erasure as they are, and the channels that each is opted out of, also by another handle of the customer.
SELECT h.id, h.kind, h.salt, h.sealed, c.channel, c.opted_out_at AS since
FROM (
    SELECT t.id AS handle_id FROM (
\ir erased_handles.sql
    ) AS t
    WHERE NOT t.shared AND t.erased_at IS NULL
) AS asked
JOIN handles AS h ON h.id = asked.handle_id
LEFT JOIN LATERAL (
\ir consents_of.sql
) AS c ON c.opted_out
ORDER BY h.id, c.channel
