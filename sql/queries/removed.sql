-- Part of the statements that remove interactions (`chosen`), with the links, messages, attempts, keys and deliveries that belong to
-- them. `named`: by which references they were known.
named AS MATERIALIZED (
    SELECT id AS reference, client_id FROM chosen
    UNION
    SELECT l.reference, l.client_id FROM chosen AS c JOIN interaction_links AS l ON l.interaction_id = c.id
),
undelivered AS (
    DELETE FROM deliveries AS d
    USING (
        SELECT v.id, v.client_id FROM named AS n JOIN events AS v ON v.reference = n.reference AND v.client_id = n.client_id
    ) AS gone
    WHERE d.client_id = gone.client_id AND d.event_id = gone.id
    RETURNING d.event_id
),
-- The arrays make them look-ups by index, whatever the planner believes of the tables' sizes.
keyed AS (
    DELETE FROM message_keys WHERE id = ANY (ARRAY(SELECT reference FROM named)) RETURNING client_id, key
),
tried AS (
    DELETE FROM attempts WHERE id = ANY (ARRAY(SELECT reference FROM named)) RETURNING id
),
sent AS (
    DELETE FROM messages
    WHERE id = ANY (ARRAY(SELECT reference FROM named)) AND client_id = ANY (ARRAY(SELECT client_id FROM named))
    RETURNING id
),
unlinked AS (
    DELETE FROM interaction_links AS l USING chosen AS c WHERE l.interaction_id = c.id
),
-- With those that were joined to them, which bar the way to writers.
removed AS (
    DELETE FROM interactions AS i USING named AS n WHERE (i.id, i.client_id) = (n.reference, n.client_id)
)
