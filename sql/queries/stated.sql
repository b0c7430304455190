-- Part of the queries that read events: the payload of an event `p` with the handle `h`. A link of two handles has ids in the
-- log; readers get the kinds and values of both (`r` is the other).
CASE
    WHEN r.id IS NULL THEN p.payload
    ELSE p.payload || jsonb_build_object('handles', jsonb_build_array(
        jsonb_build_object('kind', h.kind, 'value', h.value), jsonb_build_object('kind', r.kind, 'value', r.value)
    ))
END
