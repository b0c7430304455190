-- Part of the statements that fold events: for each event of `fresh`, the columns of an interaction that it sets. A fact cannot be
-- later than our receipt of it, whatever the provider's clock says.
facts AS (
    SELECT
\ir interaction_of.sql
        AS id,
        e.client_id, e.channel, CASE WHEN NOT f.change THEN e.direction END AS direction,
        -- As the provider gave it, sealed. The column is its digest.
        CASE WHEN e.provider_message_id IS NOT NULL THEN e.payload ->> 'providerMessageId' END AS provider_message_id,
        e.message_id,
        coalesce(
            e.provider, CASE WHEN e.provider_message_id IS NOT NULL OR e.reference = coalesce(e.identity, e.id) THEN e.source END
        ) AS provider,
        -- As texts, since there is no min(uuid).
        CASE WHEN e.handle_kind = 'user_id' AND NOT f.change THEN e.handle_id::text END AS user_handle_id,
        CASE WHEN e.handle_kind <> 'user_id' AND NOT f.change THEN e.handle_id::text END AS address_handle_id,
        CASE WHEN f.content AND NOT f.change THEN e.payload -> 'content' END AS content,
        CASE WHEN f.change THEN jsonb_strip_nulls(jsonb_build_object(
            'text ' || f.writer, CASE WHEN f.content AND e.type = 'MessageEdited'
                THEN to_char(f.at AT TIME ZONE 'UTC', 'YYYYMMDDHH24MISSUS') || E'\x1f' || (e.payload -> 'content')::text
            END,
            CASE e.type WHEN 'MessageEdited' THEN 'edited ' ELSE 'deleted ' END || f.writer,
            to_char(f.at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')
        )) END AS changes,
        CASE WHEN f.final THEN e.error END AS failure,
        CASE WHEN NOT f.final THEN e.error END AS setback,
        f.at AS "timestamp",
\each CASE WHEN e.type IN ({types}) THEN f.at END AS {column},
        CASE WHEN e.type IN ('MessageFailed', 'CallFailed', 'MessageBounced', 'MessageRejected') THEN channel_bit(e.channel) ELSE 0 END
        AS failed_by,
        CASE WHEN e.type IN ('MessageDelivered', 'MessageRead', 'MessageOpened', 'MessageClicked') THEN channel_bit(e.channel) ELSE 0 END
        AS reached_by,
        -- Our own MessageDelayed is about our own try, or about the channel that was given up for the next one
        -- (`given_up`).
        CASE WHEN e.type = 'MessageDelayed' AND e.source <> 'threadline' THEN channel_bit(e.channel) ELSE 0 END
        AS deferred_by,
        CASE WHEN e.type = 'MessageDelayed' AND e.source = 'threadline' AND e.payload ? 'givenUpFor' THEN channel_bit(e.channel) ELSE 0 END
        AS given_up,
        -- Whom it names, also as the writer of a change, who has no column.
        e.handle_id AS named, f.change AND e.handle_id IS NOT NULL AS apart,
        ARRAY[e.xid, e.position] AS last_change
    FROM fresh AS e
    CROSS JOIN LATERAL (
        SELECT
            least(coalesce(e.occurred_at, e.received_at), e.received_at) AS at,
            jsonb_typeof(e.payload -> 'content') = 'object' AS content,
            e.type IN ('MessageEdited', 'MessageDeleted') AS change,
            coalesce(e.direction, '') || ':' || coalesce(e.handle_id::text, '') AS writer,
            e.type IN (
                'MessageFailed', 'MessageBounced', 'MessageRejected', 'MessageExpired', 'MessageCancelled', 'CallFailed'
            ) AS final
    ) AS f
    WHERE e.reference IS NOT NULL
)
