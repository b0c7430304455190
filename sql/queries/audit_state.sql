-- How long the oldest entry has waited to be sealed, and since each sink took an anchor, in seconds. While there is no batch there is
-- nothing to anchor.
SELECT
    coalesce((
        SELECT extract(EPOCH FROM now() - a.at)::double precision FROM audit AS a
        WHERE a.position > coalesce((SELECT h.upto FROM audit_heads AS h ORDER BY h.batch DESC LIMIT 1), 0)
        ORDER BY a.position LIMIT 1
    ), 0) AS unsealed,
    coalesce((
        SELECT jsonb_object_agg(s.sink, extract(EPOCH FROM now() - s.at)::double precision)
        FROM (
            SELECT
                sink.name AS sink,
                CASE WHEN EXISTS (SELECT FROM audit_heads) THEN
                    (SELECT max(n.at) FROM audit_anchors AS n WHERE n.sink = sink.name)
                ELSE now() END AS at
            FROM unnest(%(sinks)s::text[]) AS sink (name)
        ) AS s
        WHERE s.at IS NOT NULL
    ), '{}') AS anchored
