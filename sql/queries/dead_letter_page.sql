-- Part of the queries of dead letters: a page of those that pass a filter, newest first, after a key.
\ir dead_letter_filter.sql
    AND (d.recorded_at, d.id) < (
        (SELECT coalesce(%(after_at)s::timestamptz, 'infinity')),
        (SELECT coalesce(%(after_id)s::uuid, 'ffffffff-ffff-ffff-ffff-ffffffffffff'))
    )
ORDER BY d.recorded_at DESC, d.id DESC
LIMIT %(limit)s
