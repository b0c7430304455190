-- Links between a customer's own handles, each once, with their evidence. `value` is the other handle's.
SELECT h.kind AS of_kind, h.sealed AS of_value, o.kind, o.sealed AS value, l.since, l.evidence
\ir customer_links.sql
    AND theirs.customer_id = mine.customer_id AND (h.kind, h.id) < (o.kind, o.id)
ORDER BY h.kind, o.kind, h.id, o.id
LIMIT %(limit)s
