-- Folds the events of some references of an erasure's client, whose interactions were removed, with those of the archive (`archived`).
WITH fresh AS MATERIALIZED (
    SELECT e.*
    FROM erasures AS o
    JOIN events AS e ON e.client_id = o.client_id AND e.reference = ANY (%(left)s::uuid[])
    WHERE o.id = %(id)s
    UNION ALL
    SELECT * FROM jsonb_populate_recordset(NULL::events, %(archived)s)
),
\ir facts.sql
,
\ir fold.sql
SELECT
    (SELECT count(*) FROM fresh) AS events,
    CASE WHEN (SELECT count(*) FROM projected) <> (SELECT count(*) FROM folded) THEN superseded_meanwhile() END
