-- Part of the statements that show erasures which wait for a second person, or waited for one.
SELECT
    r.id, r.client_id, r.customer_id, r.actor, r.credential, r.reason, r.requested_at, r.expires_at, r.decided_at, r.decided_by, r.why, r.asked AS assignments,
    coalesce(r.parties, ARRAY[r.party] || CASE WHEN starts_with(r.party, 'key:') THEN '{unknown}'::text[] ELSE '{}' END) AS parties,
    coalesce(r.decision, CASE WHEN r.expires_at <= now() THEN 'expired' ELSE 'waiting' END) AS state
FROM erasure_requests AS r
