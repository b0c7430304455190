-- Removes some interactions of a client's channel whose time has passed, with what belongs to them. Returns how many of each, and by which references they were known. What another transaction has locked is left for
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
\ir removed.sql
SELECT
    (SELECT count(*) FROM chosen) AS interactions, (SELECT count(*) FROM sent) AS messages,
    (SELECT count(*) FROM tried) AS attempts, (SELECT count(*) FROM keyed) AS message_keys,
    (SELECT count(*) FROM undelivered) AS deliveries, ARRAY(SELECT reference FROM named) AS references
