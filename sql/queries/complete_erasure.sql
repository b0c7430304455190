-- Ends an erasure with its receipt, and notes it in the audit.
WITH ended AS (
    UPDATE erasures SET state = 'completed', completed_at = now(), changed_at = now(), waits = NULL, receipt = %(receipt)s
    WHERE id = %(id)s AND state = 'rewritten'
    RETURNING id, client_id, customer_id
),
answered AS (
    DELETE FROM provider_erasures AS r USING ended AS e WHERE r.erasure_id = e.id
),
parted AS (
    DELETE FROM erased_parts AS p USING ended AS e WHERE p.erasure_id = e.id
)
INSERT INTO audit (actor, client_id, action, subject, detail)
SELECT
    %(actor)s, client_id, 'customer.erased', customer_id::text,
    jsonb_build_object('erasure', id, 'receiptSha256', %(digest)s::text)
FROM ended
RETURNING subject
