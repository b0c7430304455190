-- The events of some interactions of an erasure's client that were recorded by a transaction or later.
WITH one AS MATERIALIZED (SELECT id AS erasure_id, client_id FROM erasures WHERE id = %(id)s),
\ir told.sql
SELECT
\ir told_columns.sql
FROM told AS e
WHERE e.xid >= %(since)s
