-- Part of the statements about legal holds: the present id of the customer of a hold `d`, which was set under the id that he had then.
coalesce(
    (
        SELECT own.customer_id FROM handles AS c JOIN assignments AS own ON own.handle_id = c.id
        WHERE c.customer_id = d.customer_id AND c.client_id = d.client_id
        LIMIT 1
    ), d.customer_id
)
