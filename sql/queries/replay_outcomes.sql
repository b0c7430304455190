-- Records what came of replayed records, in the transaction that stores what they made. The first outcome of a replay counts: the
-- same record is read again after a crash. Only a record that is the dead letter's, byte for byte, is believed. A duplicate
-- whose events differ from the log's makes events after all, in a second transaction (`differing`).
WITH given AS MATERIALIZED (
    SELECT
        (r ->> 0)::uuid AS id, (r ->> 1)::integer AS replay, decode(r ->> 2, 'hex') AS digest, r ->> 3 AS outcome,
        (r ->> 4)::integer AS events,
        CASE WHEN r ->> 5 IS NOT NULL THEN md5(concat_ws(E'\x1f', r ->> 5, r ->> 6, r ->> 7))::uuid END AS became
    FROM jsonb_array_elements(%(outcomes)s) AS each (r)
    ORDER BY 1
)
UPDATE dead_letters AS d SET
    outcome = given.outcome, outcome_at = now(), became = given.became,
    outcome_events = CASE WHEN d.outcome IS NULL THEN given.events ELSE d.outcome_events + given.events END
FROM given
WHERE d.id = given.id AND d.id = ANY (ARRAY(SELECT id FROM given)) AND d.replays = given.replay AND d.digest = given.digest
    AND (d.outcome IS NULL OR (%(differing)s AND d.outcome = 'duplicate'))
