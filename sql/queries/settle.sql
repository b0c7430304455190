-- Writes the outcome of claims: of the attempt, and of the message if the claim still holds. That the provider accepted it counts
-- even if another worker has claimed the message since: the first one may have sent it after its lease.
WITH given AS MATERIALIZED (
    SELECT
        (r ->> 0)::uuid AS id, (r ->> 1)::integer AS claim, r ->> 2 AS state,
        now() + make_interval(secs => (r ->> 3)::double precision) AS due_at, (r ->> 4)::integer AS tries,
        r ->> 5 AS channel, r ->> 6 AS account, array(SELECT jsonb_array_elements_text(r -> 7)) AS tried,
        r ->> 8 AS cause, nullif(r -> 9, 'null') AS error, r ->> 10 AS provider_message_id, r ->> 11 AS outcome,
        (r ->> 12)::integer AS status, (r ->> 13)::boolean AS doubted,
        (r ->> 14)::integer AS checks
    FROM jsonb_array_elements(%(settled)s) AS each (r)
    ORDER BY 1
),
answered AS (
    -- Earlier attempts without an outcome belong to a worker that died.
    UPDATE attempts AS a SET
        answered_at = CASE WHEN a.number = given.claim AND given.outcome <> 'unanswered' THEN now() END,
        outcome = CASE WHEN a.number = given.claim THEN given.outcome ELSE 'unanswered' END,
        status = CASE WHEN a.number = given.claim THEN given.status END,
        error = CASE WHEN a.number = given.claim THEN given.error END,
        provider_message_id = CASE WHEN a.number = given.claim THEN given.provider_message_id END
    FROM given
    -- The array makes it a look-up by index, whatever the planner believes of the table's size.
    WHERE a.id = given.id AND a.id = ANY (ARRAY(SELECT id FROM given))
        AND (
            (a.number = given.claim AND given.outcome IS NOT NULL)
            OR (a.number < given.claim AND a.outcome IS NULL)
        )
)
UPDATE messages AS m SET
    -- A message that was sent although its client cancelled it stays sent: no other channel follows.
    state = CASE
        WHEN m.cancelled AND given.state IN ('retrying', 'held') THEN 'retrying'
        WHEN m.cancelled AND given.state = 'watched' THEN 'sent'
        ELSE given.state
    END,
    due_at = CASE WHEN m.cancelled THEN now() ELSE coalesce(given.due_at, m.due_at) END, tries = given.tries, channel = given.channel, account = given.account,
    lane = lane_id(m.client_id, given.account), tried = given.tried,
    doubted = given.doubted, checks = given.checks, cause = given.cause, error = given.error,
    provider_message_id = coalesce(given.provider_message_id, m.provider_message_id), changed_at = now(),
    -- If another worker has claimed it, that claim becomes void: the message is not sent again.
    claims = CASE WHEN m.claims = given.claim THEN m.claims ELSE m.claims + 1 END
FROM given
WHERE m.id = given.id AND m.id = ANY (ARRAY(SELECT id FROM given))
    AND (
        (m.claims = given.claim AND m.state IN ('sending', 'watched'))
        OR (given.state IN ('sent', 'watched') AND m.state IN ('retrying', 'queued', 'held', 'unanswered', 'sending'))
    )
