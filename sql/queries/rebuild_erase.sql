-- Leaves out of the rebuilt tables what erasures, and retention by channel, removed from the live ones. Of the latter there are events
-- where a month came back from the archive, or was folded before they were emptied.
WITH gone AS (
    DELETE FROM interactions AS i
    USING threadline.erased_references AS r
    WHERE i.id = r.reference AND i.client_id = r.client_id
),
-- Versions of an event that were emptied are still of one message.
untied AS (
    DELETE FROM interaction_links AS l
    USING threadline.erased_references AS r
    WHERE l.reference = r.reference AND l.client_id = r.client_id
),
expired AS (
    DELETE FROM interactions AS i
    USING threadline.channel_retention AS r
    WHERE i.client_id = r.client_id AND coalesce(i.channel, '') = r.channel AND i."timestamp" < now() - r.age
        AND NOT EXISTS (SELECT FROM threadline.interactions AS l WHERE l.id = i.id AND l.client_id = i.client_id)
    RETURNING i.id, i.client_id
),
barred AS (
    DELETE FROM interactions AS i USING expired AS x, interaction_links AS l
    WHERE l.interaction_id = x.id AND l.client_id = x.client_id AND i.id = l.reference AND i.client_id = x.client_id
),
unlinked AS (
    DELETE FROM interaction_links AS l USING expired AS x WHERE l.interaction_id = x.id AND l.client_id = x.client_id
),
undated AS (
    DELETE FROM consent_times AS t USING threadline.handles AS h WHERE h.id = t.handle_id AND h.erased_at IS NOT NULL
)
DELETE FROM consents AS c
USING threadline.handles AS h
WHERE h.id = c.handle_id AND h.erased_at IS NOT NULL
