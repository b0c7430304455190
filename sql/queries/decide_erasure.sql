-- Approves or refuses an erasure that waits, and notes it in the audit. Who asked for it can refuse it, and not approve it. Returns it;
-- no row where it does not wait (any more).
WITH decided AS (
    UPDATE erasure_requests AS r SET
        decision = %(decision)s, decided_at = now(), decided_by = %(by_actor)s, decided_party = %(party)s,
        decided_parties = %(parties)s::text[], why = %(why)s
    WHERE r.id = %(id)s AND r.client_id = %(client_id)s AND r.decision IS NULL AND r.expires_at > now()
        AND (%(decision)s = 'refused' OR (r.party <> %(party)s AND NOT r.parties && %(parties)s::text[]) IS NOT FALSE)
    RETURNING r.id, r.client_id, r.customer_id
),
noted AS (
    INSERT INTO audit (actor, client_id, action, subject, detail, key_id, address, request_id, why)
    SELECT
        %(by_actor)s, client_id, CASE WHEN %(decision)s = 'approved' THEN 'erasure.approve' ELSE 'erasure.refuse' END,
        customer_id::text, jsonb_build_object('erasure', id),
        %(by_key)s::uuid, %(address)s::text, %(request_id)s::text, %(why)s
    FROM decided
)
SELECT id FROM decided
