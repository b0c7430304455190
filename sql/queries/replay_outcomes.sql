-- Records what came of replayed records, in the transaction that stores what they made. The first outcome of a replay counts: the
-- same record is read again after a crash. Only a record that is the dead letter's, byte for byte, is believed. A duplicate
-- whose events differ from the log's makes events after all, in a second transaction (`differing`). Of a client that does not want
-- all contents stored the record goes then, as it does by `discard_dead_letters`: it was read, or is in the dead letter that it became.
WITH given AS MATERIALIZED (
    SELECT
        (r ->> 0)::uuid AS id, (r ->> 1)::integer AS replay, decode(r ->> 2, 'hex') AS digest, r ->> 3 AS outcome,
        (r ->> 4)::integer AS events,
        CASE WHEN r ->> 5 IS NOT NULL THEN md5(concat_ws(E'\x1f', r ->> 5, r ->> 6, r ->> 7))::uuid END AS became
    FROM jsonb_array_elements(%(outcomes)s) AS each (r)
    ORDER BY 1
),
-- The letters of clients that want something withheld.
spent AS MATERIALIZED (
    SELECT given.id
    FROM given
    JOIN dead_letters AS l ON l.id = given.id
    WHERE given.outcome <> 'nothing' AND l.id = ANY (ARRAY(SELECT id FROM given)) AND EXISTS (
        SELECT FROM jsonb_each_text((
            SELECT c.document -> 'content' FROM clients AS c WHERE c.client_id = l.client_id ORDER BY c.version DESC LIMIT 1
        )) AS mode
        WHERE mode.value <> 'keep'
    )
)
UPDATE dead_letters AS d SET
    record_removed = d.record_removed OR o.spent,
    value = CASE WHEN NOT o.spent THEN d.value END,
    detail = CASE WHEN NOT o.spent THEN d.detail END,
    items = CASE WHEN NOT o.spent THEN d.items ELSE '[]' END,
    sealed_reason = CASE WHEN NOT o.spent THEN d.sealed_reason END,
    sealed_detail = CASE WHEN NOT o.spent THEN d.sealed_detail END,
    reason = CASE WHEN NOT o.spent THEN d.reason ELSE d.general END,
    outcome = given.outcome, outcome_at = now(), became = given.became,
    outcome_events = CASE WHEN d.outcome IS NULL THEN given.events ELSE d.outcome_events + given.events END
FROM given
CROSS JOIN LATERAL (SELECT given.id IN (SELECT id FROM spent) AS spent) AS o
WHERE d.id = given.id AND d.id = ANY (ARRAY(SELECT id FROM given)) AND d.replays = given.replay AND d.digest = given.digest
    AND (d.outcome IS NULL OR (%(differing)s AND d.outcome = 'duplicate'))
