-- Empties some events of a client's channel that belong to no interaction and whose time has passed; returns how many.
SELECT coalesce(empty_expired(array_agg(due.xid), array_agg(due.position)), 0) AS events
FROM (
    SELECT e.xid, e.position
    FROM events AS e
    WHERE e.client_id = %(client_id)s AND coalesce(e.channel, '') = %(channel)s
        AND e.recorded_at < now() - (
            SELECT r.age FROM channel_retention AS r WHERE r.client_id = %(client_id)s AND r.channel = %(channel)s
        )
        AND
\ir apart.sql
    LIMIT %(limit)s
) AS due
