-- Part of the statements about what customers share: the interactions that may name one of the `handles` of `one`, of its client. One that
-- names as many as it can may name any.
    SELECT i.id FROM one JOIN interactions AS i ON i.handle_id = ANY (one.handles)
    UNION
    SELECT i.id FROM one JOIN interactions AS i ON i.address_handle_id = ANY (one.handles)
        AND i.user_handle_id IS NOT NULL AND i.address_handle_id IS NOT NULL
    UNION
    SELECT i.id FROM one JOIN interactions AS i ON i.named && one.handles
    UNION
    SELECT i.id FROM one JOIN interactions AS i ON i.client_id = one.client_id AND cardinality(i.named) = 64
