-- As `link_new`, for a range of the log, beside other ranges. Notes the range if something is left to link: a provider's id that
-- two messages have, or that is in an interaction already; repeated events that differ; and handles.
WITH
\ir pairs_new.sql
,
\ir link_single.sql
,
kinds AS (
    SELECT
        coalesce(bool_or(identity IS NOT NULL), false) OR EXISTS (
            SELECT FROM known
            WHERE theirs NOT IN (SELECT id FROM barred) AND (theirs_in IS NULL OR theirs_in IS DISTINCT FROM ours_in)
        ) AS linking,
        coalesce(bool_or(type IN
\ir relating_types.sql
        ), false) AS relating
    FROM (
\ir chunk.sql
        AND (identity IS NOT NULL OR type IN
\ir relating_types.sql
        )
    ) AS other
)
INSERT INTO threadline_rebuild.left_to_link AS s (after_xid, after_position, upto_xid, upto_position, events, linking, relating)
SELECT %(after_xid)s, %(after_position)s, %(upto_xid)s, %(upto_position)s, %(events)s, linking, relating
FROM kinds
WHERE linking OR relating
ON CONFLICT (upto_xid, upto_position) DO UPDATE SET linking = s.linking OR excluded.linking, relating = s.relating OR excluded.relating
