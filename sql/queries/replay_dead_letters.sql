-- Asks a worker to put the records of these dead letters on their topics again, and notes it in the audit: of those that were not
-- handled, or with `again` of those that were replayed before too. The last replay's outcome is not known then. Returns their ids.
WITH chosen AS (
    SELECT d.id
    FROM dead_letters AS d
    WHERE d.id = ANY (%(ids)s::uuid[]) AND d.value IS NOT NULL AND d.discarded_at IS NULL
        AND (d.replayed_at IS NULL OR (%(again)s AND NOT d.replay_due))
    ORDER BY d.id
    FOR UPDATE
),
asked AS (
    UPDATE dead_letters AS d SET
        replays = d.replays + 1, replay_due = true, replayed_at = now(), replayed_by = %(actor)s, outcome = NULL,
        outcome_at = NULL, outcome_events = NULL, became = NULL
    FROM chosen
    WHERE d.id = chosen.id
    RETURNING d.id, d.client_id, d.replays
),
noted AS (
    INSERT INTO audit (actor, client_id, action, subject, detail, key_id, address, request_id)
    SELECT
        %(actor)s, coalesce(client_id, ''), 'dead_letter.replay', id::text,
        jsonb_strip_nulls(jsonb_build_object('key', %(key)s::text, 'replays', replays)),
        %(by_key)s::uuid, %(address)s::text, %(request_id)s::text
    FROM asked
)
SELECT id FROM asked
