-- The events of some interactions of an erasure's client, also those of the archive (`archived`), each with the interaction's owner and
-- beginning, whether its handle is not erased (`living`), and the reference of our message that it names (`ours`). `ties`: it has both
-- ids of a message.
WITH one AS MATERIALIZED (SELECT client_id FROM erasures WHERE id = %(id)s),
known AS MATERIALIZED (
    SELECT i.id, i.client_id, i.handle_id AS owner, i."timestamp" AS began, n.reference
    FROM one
    JOIN interactions AS i ON i.client_id = one.client_id AND i.id = ANY (%(ids)s::uuid[])
    CROSS JOIN LATERAL (
        SELECT i.id AS reference
        UNION
        SELECT l.reference FROM interaction_links AS l WHERE l.interaction_id = i.id AND l.client_id = i.client_id
    ) AS n
),
told AS (
    SELECT k.id AS interaction, k.owner, k.began, e.* FROM known AS k
    JOIN events AS e ON e.reference = k.reference AND e.client_id = k.client_id
    UNION ALL
    SELECT k.id, k.owner, k.began, e.* FROM known AS k
    JOIN jsonb_populate_recordset(NULL::events, %(archived)s) AS e ON e.reference = k.reference AND e.client_id = k.client_id
)
SELECT
    e.interaction, e.owner, e.began, e.id AS event, coalesce(e.identity, e.id) AS identity, e.reference, e.handle_id AS handle,
    (SELECT h.erased_at IS NULL FROM handles AS h WHERE h.id = e.handle_id) AS living,
    least(coalesce(e.occurred_at, e.received_at), e.received_at) AS at,
    CASE WHEN e.message_id IS NOT NULL THEN message_reference(e.client_id, e.message_id) END AS ours,
    e.provider_message_id IS NOT NULL AND e.message_id IS NOT NULL AS ties
FROM told AS e
