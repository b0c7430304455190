-- Removes what is known of an erasure's handles as recipients.
WITH one AS MATERIALIZED (SELECT handles FROM erasures WHERE id = %(id)s),
consented AS (DELETE FROM consents AS c USING one WHERE c.handle_id = ANY (one.handles)),
dated AS (DELETE FROM consent_times AS t USING one WHERE t.handle_id = ANY (one.handles)),
known AS (DELETE FROM profiles AS p USING one WHERE p.handle_id = ANY (one.handles))
SELECT 1
