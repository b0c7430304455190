-- Gives some handles the holders that decisions say, each from its time to the next one's. Returns their assignments, and those of
-- the handles that are linked with them.
WITH cuts AS MATERIALIZED (
    SELECT t.handle_id, t.valid_from, t.ones[1] AS id, t.one_id, t.client_id
    FROM customer_changes AS t
    WHERE t.handle_id = ANY (%(cut)s::uuid[]) AND t.kind = 'cut' AND t.undone_by IS NULL
),
holders AS MATERIALIZED (
    SELECT
        id, handle_id, own_id, client_id, valid_from,
        coalesce(lead(valid_from) OVER (PARTITION BY handle_id ORDER BY valid_from, id), 'infinity') AS valid_to
    FROM (
        SELECT c.id, c.handle_id, c.one_id AS own_id, c.client_id, c.valid_from FROM cuts AS c
        UNION ALL
        SELECT h.id, h.id, h.customer_id, h.client_id, '-infinity' FROM handles AS h WHERE h.id = ANY (%(cut)s::uuid[])
    ) AS each
),
gone AS (
    DELETE FROM assignments AS a
    WHERE a.handle_id = ANY (%(cut)s::uuid[]) AND a.id NOT IN (SELECT id FROM holders)
),
placed AS (
    INSERT INTO assignments (id, handle_id, own_id, customer_id, client_id, valid_from, valid_to)
    SELECT id, handle_id, own_id, own_id, client_id, valid_from, valid_to FROM holders
    ORDER BY id
    ON CONFLICT (id) DO UPDATE SET valid_to = excluded.valid_to
)
SELECT ARRAY(
    SELECT id FROM holders
    UNION
    SELECT a.id
    FROM handle_links AS l
    JOIN assignments AS a ON a.handle_id = l.other_id
    WHERE l.handle_id = ANY (%(cut)s::uuid[])
) AS changed
