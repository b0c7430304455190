-- Edits and deletions of messages. They count only for the message of the one who made them: the same direction and the same
-- customer, or no customer where a provider names none. What anybody else states is kept and has no effect.

-- Joins two maps of changes by key. Keys are `text`, `edited` or `deleted`, a space, the direction, a colon and the handle's
-- id; of texts (an edit's time as 20 digits, E'\x1f', its content) the greatest counts, of times the least, so that no order
-- of arrival matters.
CREATE FUNCTION changes_join(a jsonb, b jsonb) RETURNS jsonb
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN CASE WHEN a = b THEN a ELSE (
    SELECT jsonb_object_agg(key, value)
    FROM (
        SELECT
            key,
            CASE WHEN starts_with(key, 'text ') THEN max(value COLLATE "C") ELSE min(value COLLATE "C") END AS value
        FROM (SELECT * FROM jsonb_each_text(a) UNION ALL SELECT * FROM jsonb_each_text(b)) AS both_sides
        GROUP BY key
    ) AS joined
) END;

CREATE AGGREGATE changes_join(jsonb) (sfunc = changes_join, stype = jsonb, parallel = safe);

ALTER TABLE interactions ADD COLUMN changes jsonb;

COMMENT ON COLUMN interactions.changes IS 'Edits and deletions by what they are and who made them (see changes_join).';

-- Returns what the writer of a message changed: `text`, `edited` and `deleted`, each if there is any; NULL without any. Its
-- body is text, since a rebuild replaces the table `handles`.
CREATE FUNCTION own_changes(changes jsonb, direction text, handle uuid) RETURNS jsonb
LANGUAGE sql STABLE PARALLEL SAFE
AS $$
    SELECT jsonb_object_agg(what, value)
    FROM (
        SELECT
            part.what,
            CASE WHEN part.what = 'text' THEN max(part.value COLLATE "C") ELSE min(part.value COLLATE "C") END AS value
        FROM (
            SELECT
                split_part(c.key, ' ', 1) AS what, split_part(split_part(c.key, ' ', 2), ':', 1) AS way,
                nullif(split_part(split_part(c.key, ' ', 2), ':', 2), '')::uuid AS writer, c.value
            FROM jsonb_each_text(own_changes.changes) AS c
        ) AS part
        WHERE (part.way = '' OR part.way = coalesce(own_changes.direction, part.way))
            AND (
                part.writer IS NULL OR part.writer = own_changes.handle
                OR EXISTS (
                    SELECT FROM threadline.handles AS theirs
                    JOIN threadline.handles AS mine ON mine.customer_id = theirs.customer_id
                    WHERE theirs.id = part.writer AND mine.id = own_changes.handle
                )
            )
        GROUP BY part.what
    ) AS own
$$;
