-- The messages of an erasure's customer that a provider knows: `source` and `target`, the provider's id (NULL where there is
-- none).
SELECT DISTINCT i.provider AS source, i.provider_message_id AS target
FROM (
\ir erased_interactions.sql
) AS i
WHERE i.provider IS NOT NULL
