-- Part of the statements about the erasure of a customer: his handles, each with whether another customer has it too or had it
-- (`shared`). `handles`: those that are meant, whosever they are, as when an erasure is repeated after a restore; else NULL. `asked`:
-- the assignments that he had when it was asked for, since a link that was stated later brings in what nobody asked for; NULL: all. An
-- address that has left the others since, as many turn out to have it, is shared too.
SELECT
    h.id, h.kind, h.erased_at,
    %(handles)s::uuid[] IS NULL AND EXISTS (
        SELECT FROM assignments AS theirs
        WHERE theirs.handle_id = h.id AND (
                theirs.id NOT IN (SELECT mine.id FROM (
\ir asked_assignments.sql
                ) AS mine)
                OR %(asked)s::uuid[] IS NOT NULL AND is_shared(theirs.id) AND EXISTS (
                    SELECT FROM (
\ir asked_assignments.sql
                    ) AS beside
                    WHERE beside.customer_id <> theirs.customer_id
                )
            )
            -- It counts if there is something of it, or a legal hold; else not if what was said is gone, since that one was erased, or
            -- if it was made by an erasure, for whoever comes next.
            AND (
                EXISTS (
                    SELECT FROM interactions AS i
                    WHERE i.handle_id = h.id AND i.client_id = h.client_id AND i."timestamp" >= theirs.valid_from
                        AND i."timestamp" < theirs.valid_to
                )
                OR EXISTS (
                    SELECT FROM customer_holds AS d
                    WHERE d.client_id = h.client_id AND d.until > now() AND (
                        d.customer_id = theirs.customer_id OR theirs.id = ANY (d.assignments)
                    )
                )
                OR NOT EXISTS (
                    SELECT FROM erased_intervals AS gone
                    WHERE gone.handle_id = h.id AND gone.valid_from <= theirs.valid_from AND theirs.valid_to <= gone.valid_to
                )
                AND NOT EXISTS (
                    SELECT FROM customer_changes AS t
                    WHERE t.event_id = theirs.by_event AND t.client_id = h.client_id AND starts_with(t.evidence ->> 'actor', 'erasure ')
                )
            )
    ) AS shared
FROM handles AS h
WHERE h.client_id = %(client_id)s AND h.id IN (
    SELECT mine.handle_id FROM (
\ir asked_assignments.sql
    ) AS mine
    WHERE %(handles)s::uuid[] IS NULL
    UNION ALL
    SELECT unnest(%(handles)s::uuid[])
)
