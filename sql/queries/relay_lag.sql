-- The relay's lag: the number of events not yet relayed, below the horizon or not (counted up to a bound), and the age of the
-- oldest in seconds; the number of disabled callbacks; and the age of the delivery that is longest overdue.
WITH place AS (SELECT coalesce(max(xid), 0) AS xid, coalesce(max(position), 0) AS position FROM relay_cursor),
behind AS (
    SELECT e.recorded_at
    FROM events AS e
    WHERE (e.xid, e.position) > ((SELECT xid FROM place), (SELECT position FROM place))
    ORDER BY e.xid, e.position
    LIMIT %(most)s
)
SELECT
    count(*) AS events,
    coalesce(extract(epoch FROM now() - min(recorded_at)), 0)::float8 AS seconds,
    (SELECT count(*) FROM callbacks WHERE disabled_at IS NOT NULL) AS disabled,
    (
        SELECT coalesce(extract(epoch FROM now() - min(h.due_at)), 0)::float8 FROM clients_due AS h WHERE h.due_at <= now()
    ) AS overdue
FROM behind
