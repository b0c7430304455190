-- Adds a gap. A gap that has grown since it was acknowledged is open again; an unchanged gap stays as it is.
INSERT INTO threadline.gaps AS g (topic, partition, from_offset, to_offset)
VALUES (%(topic)s, %(partition)s, %(from_offset)s, %(to_offset)s)
ON CONFLICT (topic, partition, from_offset) DO UPDATE
SET to_offset = excluded.to_offset, found_at = now(), acknowledged_at = NULL, acknowledged_by = NULL
WHERE g.to_offset < excluded.to_offset AND excluded.to_offset > excluded.from_offset
