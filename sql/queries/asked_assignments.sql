-- Part of the statements about the erasure of a customer: the assignments that it is about. These are his; or those that he had when it
-- was asked for (`asked`, at `asked_at`), but for such as are another's by a decision since. A link that was stated since takes none
-- away, as it would where it makes an address one that many share.
SELECT a.*
FROM assignments AS a
WHERE a.client_id = %(client_id)s AND CASE
    WHEN %(asked)s::uuid[] IS NULL THEN a.customer_id =
\ir customer_id.sql
    ELSE a.id = ANY (%(asked)s::uuid[]) AND (
        a.customer_id =
\ir customer_id.sql
        OR NOT EXISTS (
            SELECT FROM customer_changes AS t
            WHERE t.client_id = a.client_id AND (t.ones @> ARRAY[a.id] OR t.others @> ARRAY[a.id])
                AND (t.at >= %(asked_at)s::timestamptz OR t.undone_by IS NOT NULL)
        )
    )
END
