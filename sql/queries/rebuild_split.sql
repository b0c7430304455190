-- Gives each of `parts` parts a section of a range of the log, with as many events; those for which there are none get an empty
-- one at its end. Returns how many sections have events.
WITH ends AS MATERIALIZED (
    SELECT n, xid, position
    FROM (
        SELECT n, xid, position, lead(n) OVER (ORDER BY xid, position) IS DISTINCT FROM n AS last
        FROM (
            SELECT e.xid, e.position, ntile(%(parts)s::integer) OVER (ORDER BY e.xid, e.position) AS n
            FROM threadline.events AS e
            WHERE (e.xid, e.position) > (%(after_xid)s, %(after_position)s)
                AND (e.xid, e.position) <= (%(upto_xid)s, %(upto_position)s)
        ) AS each
    ) AS marked
    WHERE last
),
final AS (SELECT xid, position FROM ends ORDER BY n DESC LIMIT 1),
split AS (
    UPDATE threadline_rebuild.progress AS p SET
        xid = coalesce(before.xid, CASE WHEN abs(p.part) = 1 THEN %(after_xid)s ELSE final.xid END),
        position = coalesce(before.position, CASE WHEN abs(p.part) = 1 THEN %(after_position)s ELSE final.position END),
        upto_xid = coalesce(own.xid, final.xid),
        upto_position = coalesce(own.position, final.position)
    FROM final
    CROSS JOIN generate_series(1, %(parts)s::integer) AS g (part)
    LEFT JOIN ends AS own ON own.n = g.part
    LEFT JOIN ends AS before ON before.n = g.part - 1
    WHERE abs(p.part) = g.part
)
SELECT count(*) AS sections FROM ends
