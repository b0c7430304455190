-- One erasure, with how many files of the archive it has been through, how many of them were written anew, and with how many events.
SELECT
    id, client_id, customer_id, state, actor, reason, requested_at, changed_at, fenced_at, destroyed_at, completed_at, fence_xid,
    handles, kept, asked AS assignments,
    coalesce((SELECT r.requested_at FROM erasure_requests AS r WHERE r.id = erasures.id), requested_at) AS asked_at, providers, suppressed, letters, shared, nobodys, repeats, before, receipt, waits,
    (
        SELECT jsonb_build_object(
            'files', count(*), 'rewritten', count(*) FILTER (WHERE d.events > 0), 'events', coalesce(sum(d.events), 0)
        )
        FROM erased_files AS d WHERE d.erasure_id = erasures.id
    ) AS archive,
    -- What the providers were asked; after the receipt it is there alone.
    (
        SELECT coalesce(jsonb_agg(to_jsonb(a) ORDER BY a.source), '[]')
        FROM (
            SELECT
                r.source, count(*) FILTER (WHERE r.state = 'due') AS due, count(*) FILTER (WHERE r.state = 'done') AS done,
                count(*) FILTER (WHERE r.state = 'refused') AS refused, max(r.answer) FILTER (WHERE r.state <> 'done') AS answer
            FROM provider_erasures AS r
            WHERE r.erasure_id = erasures.id
            GROUP BY r.source
        ) AS a
    ) AS asked
FROM erasures
WHERE id = %(id)s AND (%(client_id)s::text IS NULL OR client_id = %(client_id)s)
