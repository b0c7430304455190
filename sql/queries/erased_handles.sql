-- Part of the statements about the erasure of a customer: his handles, each with whether another customer has it too or had it
-- (`shared`). `handles`: those that are meant, whosever they are, as when an erasure is repeated after a restore; else NULL.
SELECT
    h.id, h.kind, h.erased_at,
    %(handles)s::uuid[] IS NULL AND EXISTS (
        SELECT FROM assignments AS theirs
        WHERE theirs.handle_id = h.id AND theirs.customer_id <>
\ir customer_id.sql
            -- What another one said is gone, if that one was erased.
            AND NOT EXISTS (
                SELECT FROM erased_intervals AS gone
                WHERE gone.handle_id = h.id AND gone.valid_from <= theirs.valid_from AND theirs.valid_to <= gone.valid_to
            )
    ) AS shared
FROM handles AS h
WHERE h.client_id = %(client_id)s AND h.id IN (
    SELECT mine.handle_id FROM assignments AS mine
    WHERE %(handles)s::uuid[] IS NULL AND mine.client_id = %(client_id)s AND mine.customer_id =
\ir customer_id.sql
    UNION ALL
    SELECT unnest(%(handles)s::uuid[])
)
