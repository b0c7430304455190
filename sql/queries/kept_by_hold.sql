-- Part of the statements that remove messages `m`: whether a legal hold of a recipient keeps one.
(SELECT EXISTS (SELECT FROM customer_holds WHERE until > now())) AND EXISTS (
    SELECT FROM jsonb_array_elements(m.handles) AS a (address)
    JOIN assignments AS t ON t.handle_id = (a.address ->> 2)::uuid
    JOIN customer_holds AS d ON d.client_id = t.client_id AND d.until > now()
    WHERE t.id = ANY (d.assignments) OR t.customer_id =
\ir held_customer.sql
)
