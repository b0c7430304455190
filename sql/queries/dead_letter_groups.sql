-- Groups of the latest dead letters of all clients, and of none.
WITH found AS (
    SELECT d.id, d.source, d.topic, d.general, d.shape, d.recorded_at
    FROM dead_letters AS d
    WHERE
\ir dead_letter_page.sql
)
\ir dead_letter_grouped.sql
