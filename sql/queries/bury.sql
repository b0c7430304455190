-- Adds dead letters, each record's once.
INSERT INTO dead_letters (
    id, topic, partition, "offset", webhook_id, source, reason, detail, bad, items, size, digest, client_id, shape, replay_of, value,
    sealed_reason, sealed_detail
)
SELECT
    md5(concat_ws(E'\x1f', r ->> 0, r ->> 1, r ->> 2))::uuid, r ->> 0, (r ->> 1)::integer, (r ->> 2)::bigint,
    (r ->> 3)::uuid, r ->> 4, r ->> 5, nullif(r -> 6, 'null'), (r ->> 7)::integer, r -> 8, (r ->> 9)::bigint,
    decode(r ->> 10, 'hex'), r ->> 11, r ->> 12,
    -- Only where the record is that dead letter's, byte for byte.
    (SELECT d.id FROM dead_letters AS d WHERE d.id = (r ->> 13)::uuid AND d.digest = decode(r ->> 10, 'hex')),
    v.value, v.sealed_reason, v.sealed_detail
FROM jsonb_array_elements(%(letters)s) WITH ORDINALITY AS given (r, place)
JOIN unnest(%(bodies)b::bytea[], %(reasons)b::bytea[], %(details)b::bytea[])
    WITH ORDINALITY AS v (value, sealed_reason, sealed_detail, place) USING (place)
ON CONFLICT (id) DO NOTHING
