-- Sets or changes the legal hold of a customer, and notes it in the audit. Returns the customer's present id; no row where there is
-- no such customer with handles that are not erased.
WITH theirs AS MATERIALIZED (
\ir erased_handles.sql
),
held AS (
    INSERT INTO customer_holds (client_id, customer_id, reason, until, actor)
    SELECT %(client_id)s,
\ir customer_id.sql
    , %(reason)s, %(until)s, %(by_actor)s
    WHERE EXISTS (SELECT FROM theirs WHERE erased_at IS NULL)
    ON CONFLICT (client_id, customer_id) DO UPDATE SET
        reason = excluded.reason, until = excluded.until, actor = excluded.actor, set_at = now()
    RETURNING client_id, customer_id, until, reason
),
noted AS (
    INSERT INTO audit (actor, client_id, action, subject, detail, key_id, address, request_id, why)
    SELECT
        %(by_actor)s, client_id, 'customer.hold', customer_id::text, jsonb_build_object('until', until),
        %(by_key)s::uuid, %(address)s::text, %(request_id)s::text, reason
    FROM held
)
SELECT customer_id, until, reason FROM held
