-- The consents at some assignments' handles.
SELECT
    c.handle_id, c.channel, c.opted_out_at, c.opted_out_basis, c.opted_in_at, c.opted_in_basis,
    c.opted_out_at IS NOT NULL AND (c.opted_in_at IS NULL OR c.opted_out_at >= c.opted_in_at) AS opted_out
FROM consents AS c
WHERE c.handle_id IN (SELECT a.handle_id FROM assignments AS a WHERE a.id = ANY (%(ids)s::uuid[]) AND a.valid_to = 'infinity')
ORDER BY c.handle_id, c.channel
