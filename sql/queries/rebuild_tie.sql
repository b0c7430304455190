-- As `link_new`, for one of `parts` parts of a range of the log: a message of ours is of one part. Notes the range if something is
-- left to link: a provider's id that two messages have, or that is in an interaction already; repeated events that differ; and
-- handles.
WITH both_ids AS MATERIALIZED (
    SELECT client_id, theirs, ours
    FROM (
        SELECT DISTINCT client_id, reference AS theirs, message_reference(client_id, message_id) AS ours
        FROM (
\ir chunk.sql
            AND provider_message_id IS NOT NULL AND message_id IS NOT NULL
        ) AS tied
    ) AS pair
    WHERE (uuid_hash_extended(ours, 0) & 2147483647) %% %(parts)s = %(part)s - 1
),
\ir link_single.sql
,
kinds AS (
    SELECT
        coalesce(bool_or(identity IS NOT NULL), false) OR EXISTS (
            SELECT FROM known
            WHERE theirs NOT IN (SELECT id FROM barred) AND (theirs_in IS NULL OR theirs_in IS DISTINCT FROM ours_in)
        ) AS linking,
        coalesce(bool_or(type = 'HandleLinked'), false) AS relating
    FROM (
\ir chunk.sql
        AND (identity IS NOT NULL OR type = 'HandleLinked')
    ) AS other
)
INSERT INTO threadline_rebuild.left_to_link AS s (after_xid, after_position, upto_xid, upto_position, events, linking, relating)
SELECT %(after_xid)s, %(after_position)s, %(upto_xid)s, %(upto_position)s, %(events)s, linking, relating
FROM kinds
WHERE linking OR relating
ON CONFLICT (upto_xid, upto_position) DO UPDATE SET linking = s.linking OR excluded.linking, relating = s.relating OR excluded.relating
