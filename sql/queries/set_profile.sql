-- Sets a recipient's profile. Setting the same again changes nothing. Raises 40E01 (`handle_erased`) if the handle was erased since it
-- was found.
WITH found AS MATERIALIZED (
    SELECT
\ir erased.sql
    AS erased
)
INSERT INTO profiles AS p (handle_id, client_id, zone)
SELECT %(handle_id)s, %(client_id)s, %(zone)s
FROM found
WHERE found.erased IS NOT TRUE
ON CONFLICT (handle_id) DO UPDATE SET
    zone = excluded.zone,
    changed_at = CASE WHEN p.zone IS DISTINCT FROM excluded.zone THEN excluded.changed_at ELSE p.changed_at END
RETURNING zone, changed_at
