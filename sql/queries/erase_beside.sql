-- Whether another erasure that has its fence, and has not removed yet what it is about, leaves a handle of this one to others. Then this
-- one waits, and sees what is left of the other customer.
WITH theirs AS MATERIALIZED (
\ir erased_handles.sql
)
SELECT EXISTS (
    SELECT FROM erasures AS o
    WHERE o.client_id = %(client_id)s AND o.id <> %(id)s AND o.state IN ('fenced', 'searched', 'asked', 'destroyed')
        AND o.kept && ARRAY(SELECT t.id FROM theirs AS t)
) AS beside
