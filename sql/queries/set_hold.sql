-- Sets or changes the legal hold of a customer, and notes it in the audit. Returns the customer's present id; no row where there is
-- no such customer with handles that are not erased.
WITH theirs AS MATERIALIZED (
\ir erased_handles.sql
),
held AS (
    INSERT INTO customer_holds (client_id, customer_id, reason, until, actor, assignments)
    SELECT
        %(client_id)s, p.id, %(reason)s, %(until)s, %(by_actor)s,
        ARRAY(SELECT a.id FROM assignments AS a WHERE a.client_id = %(client_id)s AND a.customer_id = p.id ORDER BY a.id)
    FROM (
        SELECT
\ir customer_id.sql
        AS id
    ) AS p
    WHERE EXISTS (SELECT FROM theirs WHERE erased_at IS NULL)
    ON CONFLICT (client_id, customer_id) DO UPDATE SET
        reason = excluded.reason, until = excluded.until, actor = excluded.actor, set_at = now(),
        assignments = ARRAY(SELECT DISTINCT one FROM unnest(customer_holds.assignments || excluded.assignments) AS each (one) ORDER BY one)
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
