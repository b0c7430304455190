-- The entries of the positions after `after` up to `upto`, and of those in `more`, by position; at most `limit`, after a position.
SELECT * FROM (
    (
        SELECT
\ir audited_columns.sql
        FROM audit AS a
        WHERE a.position > greatest(%(after)s::bigint, %(past)s::bigint) AND a.position <= %(upto)s
        ORDER BY a.position
        LIMIT %(limit)s
    )
    UNION ALL
    (
        SELECT
\ir audited_columns.sql
        FROM audit AS a
        WHERE a.position = ANY (%(more)s::bigint[]) AND a.position > %(past)s
        ORDER BY a.position
        LIMIT %(limit)s
    )
) AS entries
ORDER BY position
LIMIT %(limit)s
