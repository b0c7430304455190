-- Groups of a client's latest dead letters.
WITH found AS (
    SELECT d.id, d.source, d.topic, d.general, d.shape, d.recorded_at
    FROM dead_letters AS d
    WHERE d.client_id = %(client_id)s AND
\ir dead_letter_page.sql
)
\ir dead_letter_grouped.sql
