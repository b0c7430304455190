-- Empties the superseded interactions whose facts were moved; their rows stay as barriers (see `supersede`).
WITH
\ir pairs.sql
,
\ir losers.sql
,
moved AS (
    DELETE FROM interactions AS i
    USING losers AS l
    WHERE (i.id, i.client_id) = (l.reference, l.client_id) AND i.superseded AND i."timestamp" IS NOT NULL
    RETURNING i.id, i.client_id
)
INSERT INTO interactions (id, client_id, superseded)
SELECT id, client_id, true FROM moved
