-- Of handles of an erasure that is repeated: whether anything was said before its fence, and since.
SELECT
    h.id,
    EXISTS (SELECT FROM interactions AS i WHERE i.handle_id = h.id AND i.client_id = h.client_id AND i."timestamp" < %(fenced)s)
    OR EXISTS (
        SELECT FROM events AS o
        WHERE o.handle_id = h.id AND o.reference IS NULL AND o.client_id = h.client_id
            AND least(coalesce(o.occurred_at, o.received_at), o.received_at) < %(fenced)s
    ) AS before,
    EXISTS (SELECT FROM interactions AS i WHERE i.handle_id = h.id AND i.client_id = h.client_id AND i."timestamp" >= %(fenced)s)
    OR EXISTS (
        SELECT FROM events AS o
        WHERE o.handle_id = h.id AND o.reference IS NULL AND o.client_id = h.client_id
            AND least(coalesce(o.occurred_at, o.received_at), o.received_at) >= %(fenced)s
    ) AS since
FROM handles AS h
WHERE h.id = ANY (%(handles)s::uuid[]) AND h.client_id = %(client_id)s
