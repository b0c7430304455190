-- Some keys of raw records.
SELECT id, purpose, hour, sealed, destroyed_at FROM hour_keys WHERE id = ANY (%(ids)s::uuid[])
