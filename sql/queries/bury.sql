-- Adds a dead letter, once.
INSERT INTO dead_letters (id, topic, partition, "offset", ordinal, webhook_id, source, reason, detail, value)
VALUES (
    md5(concat_ws(E'\x1f', %(topic)s::text, %(partition)s::integer, %(offset)s::bigint, %(ordinal)s::integer))::uuid,
    %(topic)s, %(partition)s, %(offset)s, %(ordinal)s, %(webhook_id)s::text::uuid, %(source)s, %(reason)s, %(detail)s,
    %(value)b
)
ON CONFLICT (id) DO NOTHING
