-- Folds the events of some references of an erasure's client that some transactions recorded (`since` one, `before` another), with those of
-- the archive (`archived`), as they will be linked: each of `members` to the interaction at the same place in `links`. Writes nothing: this can take
-- long, and others append meanwhile.
WITH interaction_links AS MATERIALIZED (
    SELECT g.reference, g.interaction_id, e.client_id
    FROM erasures AS e
    CROSS JOIN unnest(%(members)s::uuid[], %(links)s::uuid[]) AS g (reference, interaction_id)
    WHERE e.id = %(id)s
),
fresh AS MATERIALIZED (
    SELECT e.*
    FROM erasures AS o
    JOIN events AS e ON e.client_id = o.client_id AND e.reference = ANY (%(left)s::uuid[]) AND e.xid >= %(since)s AND e.xid < %(before)s
    WHERE o.id = %(id)s
    UNION ALL
    SELECT * FROM jsonb_populate_recordset(NULL::events, %(archived)s)
),
\ir facts.sql
,
\ir folded.sql
SELECT to_jsonb(f)::text AS interaction FROM folded AS f
