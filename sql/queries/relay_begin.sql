-- The place up to which the log was relayed, created if missing, and the next transaction number.
WITH begun AS (
    INSERT INTO relay_cursor (xid, position)
    VALUES (CASE WHEN %(from_now)s THEN %(horizon)s ELSE 0 END, 0)
    ON CONFLICT (only_one) DO NOTHING
    RETURNING xid, position
)
SELECT place.xid, place.position, pg_snapshot_xmax(pg_current_snapshot())::text::bigint AS log_end
FROM (SELECT xid, position FROM begun UNION ALL SELECT xid, position FROM relay_cursor) AS place
