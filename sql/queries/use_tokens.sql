-- Writes down tokens with what they came with; gives the places in the list of those that came with something else before.
-- The first wins, also among several at once, whoever writes: an existing row is locked and read as it is. What is read
-- late (a worker that was behind) is remembered for a day from now, since what comes after it is read late too.
WITH used AS MATERIALIZED (
    SELECT place, source, token, digest, seen_until
    FROM unnest(%(sources)s::text [], %(tokens)s::bytea [], %(digests)s::bytea [], %(untils)s::timestamptz [])
    WITH ORDINALITY AS u (source, token, digest, seen_until, place)
),
written AS (
    INSERT INTO used_tokens AS t (source, token, digest, seen_until)
    SELECT DISTINCT ON (source, token) source, token, digest, greatest(seen_until, now() + interval '1 day')
    FROM used
    ORDER BY source, token, place
    ON CONFLICT (source, token) DO UPDATE SET seen_until = greatest(t.seen_until, excluded.seen_until)
    RETURNING t.source, t.token, t.digest
)
SELECT u.place::integer FROM used AS u JOIN written AS w USING (source, token) WHERE w.digest <> u.digest ORDER BY u.place
