-- How many rows each store has of the customer of an erasure, and by which providers he was reached.
WITH one AS MATERIALIZED (SELECT id, client_id, handles FROM erasures WHERE id = %(id)s),
theirs AS MATERIALIZED (
    SELECT i.id, i.provider FROM (
\ir erased_interactions.sql
    ) AS i
),
named AS MATERIALIZED (
    SELECT id AS reference FROM theirs
    UNION
    SELECT l.reference FROM theirs AS t JOIN interaction_links AS l ON l.interaction_id = t.id
    UNION
    SELECT r.reference FROM one JOIN erased_references AS r ON r.erasure_id = one.id
),
told AS MATERIALIZED (
    SELECT v.id, v.source_event_id FROM named AS n JOIN events AS v ON v.reference = n.reference
    JOIN one ON v.client_id = one.client_id
),
sent AS MATERIALIZED (SELECT m.id FROM named AS n JOIN messages AS m ON m.id = n.reference JOIN one ON m.client_id = one.client_id),
keys AS MATERIALIZED (SELECT k.client_id, k.key FROM named AS n JOIN message_keys AS k ON k.id = n.reference),
answers AS MATERIALIZED (
    SELECT k.client_id, k.key FROM keys AS n JOIN idempotency_keys AS k USING (client_id, key)
    UNION
    SELECT his.client_id, his.key FROM (
\ir erased_answers.sql
    ) AS his
)
SELECT
    jsonb_build_object(
        'handleKeys', (SELECT count(*) FROM one JOIN handles AS h ON h.id = ANY (one.handles) AND h.salt IS NOT NULL),
        'handleDigests', (SELECT count(*) FROM one JOIN handles AS h ON h.id = ANY (one.handles) AND h.digest IS NOT NULL),
        'interactions', (SELECT count(*) FROM theirs),
        'events', (SELECT count(*) FROM told),
        'eventsWithContent', (
            SELECT count(*) FROM told AS t WHERE t.source_event_id <> 'erased ' || t.id
        ),
        'eventsAlone', (
            SELECT count(*) FROM erased_alone(%(id)s) AS a WHERE NOT a.emptied
        ),
        'messages', (SELECT count(*) FROM sent),
        'attempts', (SELECT count(*) FROM sent AS s JOIN attempts AS a ON a.id = s.id),
        'messageKeys', (SELECT count(*) FROM keys),
        'idempotencyKeys', (SELECT count(*) FROM answers),
        'deliveries', (
            SELECT count(*) FROM told AS t JOIN deliveries AS d ON d.event_id = t.id JOIN one ON d.client_id = one.client_id
        ),
        'consents', (SELECT count(*) FROM one JOIN consents AS c ON c.handle_id = ANY (one.handles)),
        'profiles', (SELECT count(*) FROM one JOIN profiles AS p ON p.handle_id = ANY (one.handles))
    ) AS rows,
    ARRAY(
        SELECT DISTINCT provider FROM (
            SELECT provider FROM theirs
            UNION ALL
            -- Others own these, and he has a part in them.
            SELECT i.provider FROM one JOIN interactions AS i ON i.named && one.handles AND i.client_id = one.client_id
        ) AS every
        WHERE provider IS NOT NULL ORDER BY provider
    ) AS providers
