-- Sets the consents of a range of the log anew where one of their opt-outs or opt-ins turned out to be older than was known. To be run
-- after `consents_lock`, so that it sees what others have folded.
UPDATE consents AS c SET
    opted_out_at = one.opted_out_at, opted_out_basis = one.opted_out_basis,
    opted_in_at = one.opted_in_at, opted_in_basis = one.opted_in_basis
FROM (
    SELECT
        k.handle_id, k.channel, o.at AS opted_out_at, o.basis AS opted_out_basis, i.at AS opted_in_at, i.basis AS opted_in_basis
    FROM (
\ir consents_chunk.sql
    ) AS k
    LEFT JOIN LATERAL (
        SELECT t.at, t.basis FROM consent_times AS t
        WHERE t.handle_id = k.handle_id AND t.channel = k.channel AND NOT t.wanted
        ORDER BY t.at DESC, t.basis DESC LIMIT 1
    ) AS o ON true
    LEFT JOIN LATERAL (
        SELECT t.at, t.basis FROM consent_times AS t
        WHERE t.handle_id = k.handle_id AND t.channel = k.channel AND t.wanted
        ORDER BY t.at DESC, t.basis DESC LIMIT 1
    ) AS i ON true
) AS one
WHERE c.handle_id = one.handle_id AND c.channel = one.channel
    AND (c.opted_out_at, c.opted_out_basis, c.opted_in_at, c.opted_in_basis)
    IS DISTINCT FROM (one.opted_out_at, one.opted_out_basis, one.opted_in_at, one.opted_in_basis)
