-- Links references again as what is left of their events says: each of `members` to the interaction at the same place in `links`. Those
-- that are not the interaction's own bar the way to writers, as in `supersede`.
WITH given AS MATERIALIZED (
    SELECT g.reference, g.interaction_id, e.client_id
    FROM erasures AS e
    CROSS JOIN unnest(%(members)s::uuid[], %(links)s::uuid[]) AS g (reference, interaction_id)
    WHERE e.id = %(id)s
),
barred AS (
    INSERT INTO interactions (id, client_id, superseded)
    SELECT reference, client_id, true FROM given WHERE reference <> interaction_id
)
INSERT INTO interaction_links (reference, interaction_id, client_id)
SELECT reference, interaction_id, client_id FROM given
