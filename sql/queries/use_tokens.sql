-- Stores used tokens with the digest of their request; returns the places in the list of those that were used before with
-- another digest. The first use counts, also among concurrent ones: an existing row is locked and read. A token that is read
-- late (by a worker that was behind) is kept for a day from now, since later requests are read late too.
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
