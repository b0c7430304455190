-- Of the erasures: how many there are in each state, and the age of the oldest in seconds. One that waits for the end of a legal hold
-- is `held`.
SELECT
    o.state, count(*) AS erasures,
    coalesce(extract(epoch FROM now() - min(o.requested_at)), 0)::double precision AS oldest
FROM (
    SELECT
        e.requested_at,
        CASE
            WHEN e.state = 'requested' AND EXISTS (
                SELECT FROM customer_holds AS d
                WHERE d.client_id = e.client_id AND d.until > now() AND (
                    e.customer_id =
\ir held_customer.sql
                    OR EXISTS (
                        SELECT FROM assignments AS a
                        WHERE a.client_id = e.client_id AND a.id = ANY (d.assignments)
                            AND a.customer_id = present_customer(e.client_id, e.customer_id)
                    )
                )
            ) THEN 'held'
            ELSE e.state
        END AS state
    FROM erasures AS e
) AS o
GROUP BY o.state
