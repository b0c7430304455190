-- Part of the statements that link: the references that are not their interaction's id, in the components that a range of
-- the log connects.
losers AS MATERIALIZED (
    SELECT l.reference, l.client_id, l.interaction_id
    FROM interaction_links AS l
    WHERE l.reference <> l.interaction_id AND l.interaction_id IN (
        SELECT root.interaction_id FROM interaction_links AS root WHERE root.reference IN (SELECT ours FROM pairs)
    )
)
