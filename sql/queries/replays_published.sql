-- Marks dead letters whose records were put on their topics again, and those whose records Kafka does not take.
UPDATE dead_letters AS d SET
    replay_due = false,
    outcome = CASE WHEN given.refused THEN 'refused' ELSE d.outcome END,
    outcome_at = CASE WHEN given.refused THEN now() ELSE d.outcome_at END
FROM unnest(%(ids)s::uuid[], %(refused)s::boolean[]) AS given (id, refused)
WHERE d.id = given.id
