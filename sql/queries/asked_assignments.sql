-- Part of the statements about the erasure of a customer: the assignments that it is about. These are his; or those that he had when it
-- was asked for (`asked`, at `asked_at`), but for such as are another's by a decision since. A link that was stated since takes none
-- away, as it would where it makes an address one that many share.
SELECT a.*
FROM assignments AS a
WHERE a.client_id = %(client_id)s AND CASE
    WHEN a.customer_id =
\ir customer_id.sql
        THEN (a.id = ANY (%(asked)s::uuid[])) IS NOT FALSE
    ELSE a.id = ANY (%(asked)s::uuid[]) AND NOT decided_since(a.client_id, a.id, %(asked_at)s)
END
