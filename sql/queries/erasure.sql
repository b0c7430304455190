-- One erasure, with the number of its handles.
SELECT
    id, client_id, customer_id, state, actor, reason, requested_at, changed_at, fenced_at, destroyed_at, completed_at, fence_xid,
    handles, kept, providers, suppressed, letters, repeats, before, receipt
FROM erasures
WHERE id = %(id)s AND (%(client_id)s::text IS NULL OR client_id = %(client_id)s)
