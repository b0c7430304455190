-- Part of the statements about the erasure of a customer: the assignments that it is about. These are his; or, of those that he had when
-- it was asked for (`asked`, at `asked_at`), all but such as are another's by a decision since. A link that was stated since takes none
-- away: of an address that many turn out to have, it is about what was said at it until then.
SELECT a.*
FROM assignments AS a
WHERE a.client_id = %(client_id)s AND (
    (%(asked)s::uuid[] IS NULL OR a.id = ANY (%(asked)s::uuid[])) AND a.customer_id =
\ir customer_id.sql
    OR a.id = ANY (%(asked)s::uuid[]) AND NOT EXISTS (
        SELECT FROM customer_changes AS t
        WHERE t.client_id = a.client_id AND (t.ones @> ARRAY[a.id] OR t.others @> ARRAY[a.id])
            AND (t.at >= %(asked_at)s OR t.undone_by IS NOT NULL)
    )
)
