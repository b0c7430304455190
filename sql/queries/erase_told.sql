-- The events of some interactions of an erasure's client.
WITH one AS MATERIALIZED (SELECT client_id FROM erasures WHERE id = %(id)s),
\ir told.sql
SELECT
\ir told_columns.sql
FROM told AS e
