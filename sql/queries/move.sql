-- Joins the facts of superseded interactions into the interactions that they are linked to.
WITH
\ir pairs.sql
,
\ir losers.sql
,
facts AS (
    SELECT
        l.interaction_id AS id, i.client_id, i.channel, i.direction, i.provider, i.provider_message_id, i.message_id,
        i.user_handle_id::text AS user_handle_id, i.address_handle_id::text AS address_handle_id, i.content, i.changes, i.failure, i.setback, i."timestamp",
\each i.{column},
        i.failed_by, i.reached_by, i.deferred_by, i.given_up, n.handle_id AS named,
        i.named IS NOT NULL AS apart, i.last_change
    FROM losers AS l
    JOIN interactions AS i ON (i.id, i.client_id) = (l.reference, l.client_id)
    CROSS JOIN LATERAL unnest(i.named || ARRAY[i.user_handle_id, i.address_handle_id]) AS n (handle_id)
    WHERE i.superseded AND i."timestamp" IS NOT NULL
),
\ir fold.sql
SELECT
    (SELECT count(*) FROM projected) AS moved,
    CASE WHEN (SELECT count(*) FROM projected) <> (SELECT count(*) FROM folded) THEN superseded_meanwhile() END
