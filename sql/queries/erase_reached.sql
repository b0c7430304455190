-- The messages of an erasure's customer that a provider knows: `source` and `target`, the provider's id (NULL where there is
-- none, or where another customer has a part in it).
SELECT
    DISTINCT i.provider AS source,
    CASE WHEN NOT EXISTS (
        SELECT FROM unnest(i.named || ARRAY[i.user_handle_id, i.address_handle_id]) AS n (id)
        JOIN handles AS h ON h.id = n.id
        JOIN erasures AS e ON e.id = %(id)s
        WHERE h.erased_at IS NULL AND h.id <> ALL (e.kept)
    ) THEN i.provider_message_id END AS target
FROM (
\ir erased_interactions.sql
) AS i
WHERE i.provider IS NOT NULL
