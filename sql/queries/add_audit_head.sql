-- Adds a batch. `fresh` are the positions after `after` that it has, `late` those before. Positions between them without an entry are
-- its holes.
INSERT INTO audit_heads (
    batch, previous, root, head, entries, total, first_position, last_position, sealed_at, after, upto, leaves, holes, late
)
SELECT
    %(batch)s, %(previous)s, %(root)s, %(head)s, %(entries)s, %(total)s, %(first_position)s, %(last_position)s, %(sealed_at)s,
    %(after)s, %(upto)s, %(leaves)s,
    int8multirange(int8range(%(after)s, %(upto)s, '(]')) - coalesce(
        (SELECT range_agg(int8range(f.at, f.at, '[]')) FROM unnest(%(fresh)s::bigint[]) AS f (at)), '{}'
    ),
    coalesce((SELECT range_agg(int8range(l.at, l.at, '[]')) FROM unnest(%(late)s::bigint[]) AS l (at)), '{}')
