-- Leaves out of the rebuilt tables what erasures removed from the live ones.
WITH gone AS (
    DELETE FROM interactions AS i
    USING threadline.erased_references AS r
    WHERE i.id = r.reference AND i.client_id = r.client_id
)
DELETE FROM consents AS c
USING threadline.handles AS h
WHERE h.id = c.handle_id AND h.erased_at IS NOT NULL
