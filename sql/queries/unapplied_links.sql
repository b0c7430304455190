-- Links of a customer's handles that were stated and do not apply: they contradict a split (`refused_by`), or are of handles that
-- several people share, or of too many handles for one person. `value` is the other handle's.
SELECT
    h.kind AS of_kind, h.sealed AS of_value, o.kind, o.sealed AS value, theirs.customer_id AS other_customer_id, l.since,
    l.evidence, l.refused_by
\ir customer_links.sql
    AND theirs.customer_id <> mine.customer_id
ORDER BY h.kind, o.kind, h.id, o.id
LIMIT %(limit)s
