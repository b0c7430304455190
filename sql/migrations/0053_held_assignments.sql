-- A legal hold is of what the customer had when it was set, wherever links that are stated later lead it: they may make an address one that
-- many share, which is a customer by itself then.

ALTER TABLE customer_holds ADD COLUMN assignments uuid[] NOT NULL DEFAULT '{}';

COMMENT ON COLUMN customer_holds.assignments IS 'What the customer had when the hold was set or changed, beside what he has.';

UPDATE customer_holds AS d SET assignments = ARRAY(
    SELECT a.id FROM assignments AS a
    WHERE a.client_id = d.client_id AND a.customer_id = present_customer(d.client_id, d.customer_id)
    ORDER BY a.id
);
