-- The salts of handles that were not erased, by their ids.
SELECT id, client_id, salt FROM handles WHERE id = ANY (%(ids)s::uuid[]) AND erased_at IS NULL
