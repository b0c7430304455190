-- What `sql.deciding` needs of some assignments: the customer that each is by itself, the links among them that apply, and the
-- changes that name them.
SELECT
    (
        SELECT coalesce(jsonb_agg(jsonb_build_array(a.id, a.own_id)), '[]')
        FROM assignments AS a WHERE a.id = ANY (%(decided)s::uuid[])
    ) AS owns,
    (
        SELECT coalesce(jsonb_agg(jsonb_build_array(a.id, o.id, l.since)), '[]')
        FROM assignments AS a
        JOIN handle_links AS l ON l.handle_id = a.handle_id AND l.since >= a.valid_from AND l.since < a.valid_to
        JOIN assignments AS o ON o.handle_id = l.other_id AND l.since >= o.valid_from AND l.since < o.valid_to
        WHERE a.id = ANY (%(decided)s::uuid[]) AND o.id = ANY (%(decided)s::uuid[]) AND a.id < o.id
            AND NOT is_shared(a.id) AND NOT is_shared(o.id)
    ) AS links,
    (
        SELECT coalesce(jsonb_agg(jsonb_build_array(
            t.event_id, t.position, t.kind, t.ones, t.others, t.one_id, t.other_id, t.overrides, t.undone_by IS NOT NULL
        )), '[]')
        FROM customer_changes AS t
        WHERE t.ones && %(decided)s::uuid[] OR t.others && %(decided)s::uuid[]
    ) AS changes
