-- A recipient's last opt-out and opt-in on each channel; `*` is all channels.
SELECT c.channel, c.opted_out, c.opted_out_at, c.opted_out_basis, c.opted_in_at, c.opted_in_basis
FROM (SELECT id AS handle_id FROM handles WHERE client_id = %(client_id)s AND digest = %(digest)s) AS asked
CROSS JOIN LATERAL (
\ir consents_of.sql
) AS c
ORDER BY c.channel
