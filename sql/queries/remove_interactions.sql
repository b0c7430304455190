-- Removes some interactions of a client's channel whose time has passed, with the links, messages, attempts, keys and deliveries that
-- belong to them. Returns how many of each, and by which references they were known. What another transaction has locked is left for
-- the next time.
WITH chosen AS MATERIALIZED (
    SELECT i.id, i.client_id
    FROM interactions AS i
    WHERE i.client_id = %(client_id)s AND coalesce(i.channel, '') = %(channel)s
        AND i."timestamp" < now() - (
            SELECT r.age FROM channel_retention AS r WHERE r.client_id = %(client_id)s AND r.channel = %(channel)s
        )
        AND NOT (
\ir kept_interaction.sql
        )
    ORDER BY i."timestamp" LIMIT %(limit)s
    FOR UPDATE OF i SKIP LOCKED
),
named AS MATERIALIZED (
    SELECT id AS reference, client_id FROM chosen
    UNION
    SELECT l.reference, l.client_id FROM chosen AS c JOIN interaction_links AS l ON l.interaction_id = c.id
),
told AS (
    DELETE FROM deliveries AS d
    USING (
        SELECT v.id, v.client_id FROM named AS n JOIN events AS v ON v.reference = n.reference AND v.client_id = n.client_id
    ) AS gone
    WHERE d.client_id = gone.client_id AND d.event_id = gone.id
    RETURNING d.event_id
),
-- The arrays make them look-ups by index, whatever the planner believes of the tables' sizes.
keyed AS (
    DELETE FROM message_keys WHERE id = ANY (ARRAY(SELECT reference FROM named)) RETURNING id
),
tried AS (
    DELETE FROM attempts WHERE id = ANY (ARRAY(SELECT reference FROM named)) RETURNING id
),
sent AS (
    DELETE FROM messages WHERE id = ANY (ARRAY(SELECT reference FROM named)) AND client_id = %(client_id)s RETURNING id
),
unlinked AS (
    DELETE FROM interaction_links AS l USING chosen AS c WHERE l.interaction_id = c.id
),
-- With those that were joined to them, which bar the way to writers.
removed AS (
    DELETE FROM interactions AS i USING named AS n WHERE (i.id, i.client_id) = (n.reference, n.client_id)
)
SELECT
    (SELECT count(*) FROM chosen) AS interactions, (SELECT count(*) FROM sent) AS messages,
    (SELECT count(*) FROM tried) AS attempts, (SELECT count(*) FROM keyed) AS message_keys,
    (SELECT count(*) FROM told) AS deliveries, ARRAY(SELECT reference FROM named) AS references
