-- Part of `incoming`: whether an event that is known by `named.reference` is about an interaction that an erasure removed. Nothing
-- is looked up as long as there was no erasure.
(SELECT EXISTS (SELECT FROM erased_references)) AND EXISTS (
    SELECT FROM erased_references AS gone
    WHERE gone.client_id = incoming.client_id AND gone.reference IN (
        (SELECT named.reference), (SELECT message_reference(incoming.client_id, incoming.message_id))
    )
)
