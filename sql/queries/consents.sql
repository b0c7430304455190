-- A recipient's last opt-out and opt-in on each channel; `*` is all channels.
SELECT channel, opted_out, opted_out_at, opted_out_basis, opted_in_at, opted_in_basis
FROM consents
WHERE handle_id = handle_id(%(client_id)s, %(kind)s || E'\x1f' || %(value)s)
ORDER BY channel
