-- Typed addresses, and whose they are. A handle nobody said more about is a customer by itself, under its own id, so two
-- writers cannot make two customers of it.

CREATE TABLE handles (
    id uuid NOT NULL,
    customer_id uuid NOT NULL,
    client_id text COLLATE "C" NOT NULL,
    kind text COLLATE "C" NOT NULL,
    value text COLLATE "C" NOT NULL,
    CONSTRAINT handles_pkey PRIMARY KEY (id)
);

CREATE INDEX handles_customer ON handles (customer_id);

CREATE VIEW customers AS
SELECT client_id, customer_id AS id, count(*) AS handles
FROM handles
GROUP BY client_id, customer_id;
