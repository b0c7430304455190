-- Ends the legal hold of a customer, under any id that he had, or of something that he has, and notes it in the audit. Returns the holds that were ended.
WITH ended AS (
    DELETE FROM customer_holds AS d
    WHERE d.client_id = %(client_id)s AND (
\ir held_customer.sql
        =
\ir customer_id.sql
        OR EXISTS (
            SELECT FROM assignments AS a
            WHERE a.client_id = d.client_id AND a.id = ANY (d.assignments) AND a.customer_id =
\ir customer_id.sql
        )
    )
    RETURNING d.client_id, d.customer_id
),
noted AS (
    INSERT INTO audit (actor, client_id, action, subject, detail, key_id, address, request_id)
    SELECT
        %(by_actor)s, client_id, 'customer.unhold', customer_id::text, '{}',
        %(by_key)s::uuid, %(address)s::text, %(request_id)s::text
    FROM ended
)
SELECT customer_id FROM ended
