-- One dead letter a record, which holds its value once: what is wrong with its items stands beside, in a list that is bounded.
ALTER TABLE dead_letters
    ADD COLUMN bad integer NOT NULL DEFAULT 1,
    ADD COLUMN items jsonb NOT NULL DEFAULT '[]',
    ADD COLUMN size bigint NOT NULL DEFAULT 0,
    ADD COLUMN digest bytea;

CREATE TEMPORARY TABLE dead_records ON COMMIT DROP AS
SELECT
    d.topic, d.partition, d."offset", count(*)::integer AS bad, min(d.recorded_at) AS recorded_at,
    (array_agg(d.id ORDER BY d.ordinal))[1] AS first_id,
    (
        SELECT coalesce(jsonb_agg(jsonb_build_object('ordinal', i.ordinal, 'reason', left(i.reason, 300)) ORDER BY i.ordinal), '[]')
        FROM (
            SELECT o.ordinal, o.reason FROM dead_letters AS o
            WHERE o.topic = d.topic AND o.partition = d.partition AND o."offset" = d."offset"
            ORDER BY o.ordinal
            LIMIT 20
        ) AS i
    ) AS items
FROM dead_letters AS d
GROUP BY d.topic, d.partition, d."offset";

INSERT INTO dead_letters (
    id, topic, partition, "offset", ordinal, webhook_id, source, reason, detail, value, recorded_at, bad, items, size, digest
)
SELECT
    md5(concat_ws(E'\x1f', r.topic, r.partition, r."offset"))::uuid, r.topic, r.partition, r."offset", f.ordinal,
    f.webhook_id, f.source, left(f.reason, 1000), CASE WHEN r.bad = 1 THEN f.detail END, f.value, r.recorded_at, r.bad,
    CASE WHEN r.bad = 1 THEN '[]' ELSE r.items END, coalesce(octet_length(f.value), 0), sha256(f.value)
FROM dead_records AS r
JOIN dead_letters AS f ON f.id = r.first_id;

DELETE FROM dead_letters AS d
WHERE d.id <> md5(concat_ws(E'\x1f', d.topic, d.partition, d."offset"))::uuid;

ALTER TABLE dead_letters DROP COLUMN ordinal;

COMMENT ON COLUMN dead_letters.bad IS 'How many items of the record could not be processed.';
COMMENT ON COLUMN dead_letters.items IS 'The first of them: ordinal, reason and, bounded, the item itself. Empty where the record could not be read as a whole.';
COMMENT ON COLUMN dead_letters.value IS 'The record as it came; NULL where it had no value, or is too large to be kept (see size and digest).';
COMMENT ON COLUMN dead_letters.digest IS 'SHA-256 of the value.';
