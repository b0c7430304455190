-- Removes some interactions of an erasure's handles and intervals, with what belongs to them, also kept answers, and keeps by which
-- references they were known; but for those in which another customer may have a part, which `erase_shared` looks into. Returns how many
-- interactions were removed.
WITH chosen AS MATERIALIZED (
    SELECT i.id, i.client_id FROM (
\ir erased_interactions.sql
    ) AS i
    WHERE NOT (
\ir shared_interaction.sql
    ) OR EXISTS (
        SELECT FROM erased_references AS r WHERE r.reference = i.id AND r.client_id = i.client_id AND r.erasure_id = %(id)s
    )
    LIMIT %(limit)s
),
\ir removed.sql
,
noted AS (
    INSERT INTO erased_references (reference, client_id, erasure_id)
    SELECT reference, client_id, %(id)s FROM named
    ON CONFLICT (reference, client_id) DO NOTHING
),
answered AS (
    DELETE FROM idempotency_keys AS a USING keyed AS k WHERE a.client_id = k.client_id AND a.key = k.key
)
SELECT count(*) AS interactions FROM chosen
