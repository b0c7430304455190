-- Part of the statements about an erasure: whether an interaction `i` names several handles, of which one is not erased, so that another
-- customer may have a part in it. Of more handles than it can name, one may be.
(i.named IS NOT NULL OR num_nonnulls(i.user_handle_id, i.address_handle_id) = 2) AND (
    coalesce(cardinality(i.named), 0) = 64
    OR EXISTS (
        SELECT FROM unnest(i.named || ARRAY[i.user_handle_id, i.address_handle_id]) AS n (id)
        JOIN handles AS h ON h.id = n.id
        WHERE h.erased_at IS NULL
    )
)
