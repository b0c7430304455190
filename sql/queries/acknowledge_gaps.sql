-- Acknowledges the open gaps that match the parameters; a parameter that is NULL matches all. Notes it in the audit.
WITH acknowledged AS (
    UPDATE threadline.gaps
    SET acknowledged_at = now(), acknowledged_by = %(actor)s
    WHERE
        acknowledged_at IS NULL
        AND (%(topic)s::text IS NULL OR topic = %(topic)s)
        AND (%(partition)s::integer IS NULL OR partition = %(partition)s)
        AND (%(from_offset)s::bigint IS NULL OR from_offset = %(from_offset)s)
    RETURNING topic, partition, from_offset, to_offset
),
noted AS (
    INSERT INTO audit (actor, client_id, action, subject, detail)
    SELECT
        %(actor)s, '', 'gap.acknowledge', concat(topic, '-', partition),
        jsonb_build_object('from', from_offset, 'to', to_offset)
    FROM acknowledged
)
SELECT topic, partition, from_offset, to_offset FROM acknowledged
